# Stamps the first pilot signal of a simulated charger. MIT license.
"""Runs the simulated charger (arguments of tools/sim/run.py after the name of a file) and writes the host's time into
that file, in ms, when the control task drives the pilot for the first time."""

import sys

import utime

import tools.sim.run as simulator

from firmware.drivers.pilot import Pilot  # isort: skip  (of the simulated board, whose paths the line above has set)

_drive = Pilot.drive


def drive(self, duty):
    _drive(self, duty)
    Pilot.drive = _drive
    with open(sys.argv[1], "w") as file:
        file.write(str(utime.time_ns() // 1_000_000))


Pilot.drive = drive
simulator.main(sys.argv[2:])
