# Entry of the simulated charger. MIT license.
"""Entry of the simulated charger: runs the firmware above a simulated board on the MicroPython unix port.

    micropython tools/sim/run.py --config FILE.json --state DIR --control HOST:PORT [--tied]

`--tied`: stdin is a pipe from the parent process; its end is a power loss.

Exit codes: 0 orderly stop, 64 soft reset, 65 hard reset, 66 watchdog or update, 2 wrong configuration or arguments,
1 cannot run (directory or port in use, disk full, damaged flash image). The parent restarts it after 64 to 66.
"""

import gc
import os
import sys

# Collect as often as the board (boot.py; objects are twice as large here): a heap that is only collected when full soon
# is too fragmented for long messages.
gc.threshold(64 * 1024)

_ROOT = sys.argv[0].rpartition("tools/sim/")[0].rstrip("/") or "."
# The board's modules come before those of the unix port.
sys.path[:0] = [_ROOT + "/tools/sim/device", _ROOT, _ROOT + "/lib"]

_USAGE = "usage: micropython tools/sim/run.py --config FILE.json --state DIR [--control HOST:PORT] [--tied]"


_REASONS = {
    2: "no such directory",
    13: "no permission to write",
    20: "not a directory",
    27: "the file would be too large",
    28: "no space left on the disk",
    30: "read-only file system",
}


def _arguments(argv):
    """Returns {"config", "state", "control", "tied"}; ends the process if they are invalid."""
    if "-h" in argv or "--help" in argv:
        print(_USAGE)
        sys.exit()
    values = {"tied": "--tied" in argv}
    argv = [word for word in argv if word != "--tied"]
    names = ("--config", "--state", "--control")
    for index in range(0, len(argv), 2):
        if argv[index] not in names or index + 1 >= len(argv):
            _refuse(_USAGE)
        values[argv[index][2:]] = argv[index + 1]
    if "config" not in values or "state" not in values:
        _refuse(_USAGE)
    return values


def _refuse(reason, code=2):
    sys.stderr.write("simulator: %s\n" % reason)
    sys.exit(code)


def _address(text):
    host, _, port = (text or "").rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        _refuse("the control address must be HOST:PORT with a port from 1 to 65535, not %s" % text)
    return host, int(port)


def main(argv):
    arguments = _arguments(argv)
    from tools.sim.collector import Collections

    collector = Collections().install()
    import tools.sim.config as configuration

    try:
        config = configuration.load(arguments["config"])
    except configuration.ConfigError as exc:
        _refuse(str(exc))
    host, port = _address(arguments.get("control") or config["sim"]["control"])

    import tools.sim.flash_boot as flash_boot
    from tools.sim.charger_process import Charger
    from tools.sim.claim import Claimed
    from tools.sim.world.flash import ImageError

    state = arguments["state"]
    from_flash = config["sim"]["boot"] == "flash"
    if from_flash:
        flash_boot.mount_host()
        collector.host = flash_boot.HOST
        state = flash_boot.HOST + (state if state.startswith("/") else os.getcwd() + "/" + state)
    try:
        charger = Charger(config, state, host, port, collector=collector, tied=arguments["tied"])
        if from_flash and not os.listdir("/flash"):
            flash_boot.install(config["sim"]["image"] or _ROOT + "/build/image", configuration.factory_file(config))
    except configuration.ConfigError as exc:
        _refuse(str(exc))
    except (Claimed, ImageError) as exc:
        _refuse(str(exc), 1)
    except OSError as exc:
        _refuse("cannot start on %s: %s" % (arguments["state"], _reason(exc)), 1)
    sys.exit(charger.run_flash() if from_flash else charger.run())


def _reason(exc):
    return _REASONS.get(exc.errno, str(exc)) if isinstance(exc.errno, int) else str(exc.errno)


if __name__ == "__main__":
    main(sys.argv[1:])
