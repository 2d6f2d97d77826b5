# Stamps the first pilot signal of a simulated charger. MIT license.
"""Runs the simulated charger (arguments of tools/sim/run.py after the name of a file) and writes the host's time into
that file, in ms, when the control task drives the pilot for the first time. Works for sim.boot "flash", too."""

import sys

import utime

import tools.sim.run as simulator

from firmware.drivers.pilot import Pilot  # isort: skip  (of the simulated board, whose paths the line above has set)
from tools.sim.charger_process import Charger  # isort: skip
from tools.sim.flash_boot import HOST  # isort: skip


def stamp_first(pilot, path):
    drive = pilot.drive

    def stamping(self, duty):
        drive(self, duty)
        pilot.drive = drive
        with open(path, "w") as file:
            file.write(str(utime.time_ns() // 1_000_000))

    pilot.drive = stamping


_show = Charger.show


def show(self, app):
    _show(self, app)
    stamp_first(sys.modules["firmware.drivers.pilot"].Pilot, HOST + sys.argv[1])  # the one on the flash


Charger.show = show
stamp_first(Pilot, sys.argv[1])
simulator.main(sys.argv[2:])
