# Entry of the simulated board that boots from its own flash. MIT license.
"""Boots as a board does: the file system on the flash is "/", boot.py and main.py are run from it, then comes the REPL.

    micropython tools/sim/board.py --config FILE.json --state DIR [--control HOST:PORT] [--raw]

Nothing of the checkout's firmware is used; a blank flash boots into the REPL. `--raw` leaves main.py out, as a soft
reset out of the raw REPL does. Paths are absolute. `tools/sim/serial_board.py` puts a serial port in front of it.
"""

import builtins
import os
import sys

_HOST = "/.host"  # where the host's file system is, beside the board's

_ROOT = sys.argv[0].rpartition("tools/sim/")[0].rstrip("/") or os.getcwd()
sys.path[:0] = [_ROOT + "/tools/sim/device", _ROOT, _ROOT + "/lib"]


def power_on(arguments):
    """Builds the hardware and makes the flash the root of the file system; returns the Charger."""
    import asyncio

    import machine
    import vfs

    import tools.sim.config as configuration
    from tools.sim.charger_process import Charger
    from tools.sim.signals import open_signals

    signals = open_signals()
    host, _, port = arguments["control"].rpartition(":")
    vfs.mount(vfs.VfsPosix(), _HOST)
    config = configuration.load(arguments["config"])
    charger = Charger(config, _HOST + arguments["state"], host, int(port), mount_point="/flash")
    vfs.umount("/flash")
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(charger.flash), "/")
    os.chdir("/")
    # What the simulator took from the checkout must not pass for what is on the flash.
    for name in list(sys.modules):
        if name == "firmware" or name.startswith("firmware."):
            del sys.modules[name]
    sys.path[:] = ["", ".frozen", "/lib"]
    machine.watch_from_outside(_HOST + arguments["state"] + "/watchdog")
    for task in charger.background():
        asyncio.create_task(task)
    if signals:
        asyncio.create_task(_interrupt(signals))
    return charger


async def _interrupt(signals):
    """Ends the program when Ctrl-C has come. The unix port would do it in the middle of a collection, too, after which
    its heap stays locked; a board waits for a safe moment."""
    from asyncio import core

    yield core._io_queue.queue_read(signals)
    raise KeyboardInterrupt


def watch(charger):
    """Shows the control socket the App that the firmware on the flash is going to build, as soon as it is imported."""
    load = builtins.__import__

    def load_and_look(name, *args):
        module = load(name, *args)
        if "firmware.app" in sys.modules and hasattr(sys.modules["firmware.app"], "App"):
            builtins.__import__ = load
            _show_app(charger, sys.modules["firmware.app"])
        return module

    builtins.__import__ = load_and_look


def _show_app(charger, module):
    class WatchedApp(module.App):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            charger.bridge.attach(self)

    module.App = WatchedApp


def run(name, names):
    """Runs a file as the board does at power-on; what it raises is shown and ends the boot. Returns True if so."""
    try:
        with open(name) as file:
            code = file.read()
    except OSError:
        return True
    try:
        exec(compile(code, name, "exec"), names)
    except (Exception, KeyboardInterrupt) as exc:
        sys.print_exception(exc)
        return False
    return True


def main(argv):
    raw = "--raw" in argv
    values = [value for value in argv if value != "--raw"]
    charger = power_on({values[i][2:]: values[i + 1] for i in range(0, len(values), 2)})
    names = {"__name__": "__main__"}  # boot.py and main.py share them, with the REPL as well on a board
    if run("boot.py", names) and not raw:
        watch(charger)
        run("main.py", names)
    os.putenv("MICROPYINSPECT", "1")  # the unix port enters the REPL when this script ends


main(sys.argv[1:])
