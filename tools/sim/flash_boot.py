# Start of the simulated board from its own flash. MIT license.
"""Boots as a board does: the file system on the flash becomes "/", boot.py and main.py are run from it.

Nothing of the checkout's firmware is used. Runs in the unix port, with the modules of tools/sim/device first on
sys.path; what the simulator needs of tools/ must be imported before the root of the file system changes.
"""

import asyncio
import builtins
import json
import os
import sys
from asyncio import core

import vfs

from tools.sim.signals import open_signals

HOST = "/.host"  # where the host's file system is, beside the board's

_CODE = "firmware"
_DIRECTORY = 0x4000


def mount_host():
    """Mounts the host's file system a second time. To be called before the Charger, whose directory lies there."""
    vfs.mount(vfs.VfsPosix(), HOST)


def become_board(charger):
    """Makes the charger's flash the root of the file system, and lets the world run as soon as a loop does."""
    vfs.umount("/flash")
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(charger.flash), "/")
    os.chdir("/")
    # What the simulator has imported of the checkout must not be taken for what is on the flash.
    for name in list(sys.modules):
        if name == _CODE or name.startswith(_CODE + "."):
            del sys.modules[name]
    sys.path[:] = ["", ".frozen", "/lib"]
    for task in charger.background():
        asyncio.create_task(task)
    signals = open_signals()
    if signals:
        asyncio.create_task(_interrupt(signals))


async def _interrupt(signals):
    """Ends the program when Ctrl-C has come. The unix port would do it in the middle of a collection, too, after which
    its heap stays locked; a board waits for a safe moment."""
    yield core._io_queue.queue_read(signals)
    raise KeyboardInterrupt


def boot(charger, raw=False):
    """Runs boot.py and, unless `raw`, main.py. Returns when they end without a reset: then a board shows its REPL.

    What they raise is shown, as on a board, and returned.
    """
    names = {"__name__": "__main__"}  # both share them, and on a board the REPL does
    for name in ("boot.py",) if raw else ("boot.py", "main.py"):
        try:
            with open(name) as file:
                code = file.read()
        except OSError:
            continue
        if name == "main.py":
            _watch(charger)
        try:
            exec(compile(code, name, "exec"), names)
        except (Exception, KeyboardInterrupt) as exc:
            sys.print_exception(exc)
            return exc
    return None


def _watch(charger):
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
            charger.show(self)

    module.App = WatchedApp


def install(folder, factory):
    """Puts an image (tools.image) into slot a of the flash at /flash, with what starts it, and factory.json.

    Raises OSError when the folder holds no image.
    """
    os.stat(folder + "/manifest.json")
    _copy(folder, "/flash/a")
    for entry in os.ilistdir(folder + "/root"):
        _copy_file(folder + "/root/" + entry[0], "/flash/" + entry[0])
    with open("/flash/factory.json", "w") as file:
        file.write(json.dumps(factory))


def _copy(source, target):
    os.mkdir(target)
    for entry in os.ilistdir(source):
        copy = _copy if entry[1] == _DIRECTORY else _copy_file
        copy(source + "/" + entry[0], target + "/" + entry[0])


def _copy_file(source, target):
    with open(source, "rb") as old:
        with open(target, "wb") as new:
            new.write(old.read())
