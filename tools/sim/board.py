# Entry of the simulated board with a serial port. MIT license.
"""Boots from its own flash as a board does, then comes the REPL: see tools/sim/flash_boot.py.

    micropython tools/sim/board.py --config FILE.json --state DIR [--control HOST:PORT] [--raw]

A blank flash boots into the REPL. `--raw` leaves main.py out, as a soft reset out of the raw REPL does. Paths are
absolute. `tools/sim/serial_board.py` puts a serial port in front of it.
"""

import os
import sys

_ROOT = sys.argv[0].rpartition("tools/sim/")[0].rstrip("/") or os.getcwd()
sys.path[:0] = [_ROOT + "/tools/sim/device", _ROOT, _ROOT + "/lib"]


def main(argv):
    import machine

    import tools.sim.config as configuration
    import tools.sim.flash_boot as flash_boot
    from tools.sim.charger_process import Charger

    raw = "--raw" in argv
    values = [value for value in argv if value != "--raw"]
    arguments = {values[i][2:]: values[i + 1] for i in range(0, len(values), 2)}
    host, _, port = arguments["control"].rpartition(":")
    flash_boot.mount_host()
    config = configuration.load(arguments["config"])
    state = flash_boot.HOST + arguments["state"]
    charger = Charger(config, state, host, int(port))
    machine.watch_from_outside(state + "/watchdog")
    flash_boot.become_board(charger)
    flash_boot.boot(charger, raw)
    os.putenv("MICROPYINSPECT", "1")  # the unix port enters the REPL when this script ends


main(sys.argv[1:])
