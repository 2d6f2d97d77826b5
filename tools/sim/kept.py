# What there is of the simulated world while the power is off. MIT license.
"""The state directory without the flash image: registers of the meters, the real-time clock, the cause of the next
start, and in what condition the hardware is.

Changed hardware (broken, worn, set by commands) stays so over a power cycle until another command changes it. The
vehicle is unplugged meanwhile, unless `keep_vehicle`.
"""

import json
import os

import machine

from tools.sim.world.record import Record
from tools.sim.world.vehicle import Register

CAUSES = {
    "soft": machine.SOFT_RESET,
    "hard": machine.HARD_RESET,
    "watchdog": machine.WDT_RESET,
    "power_on": machine.PWRON_RESET,
    "brown_out": machine.BROWN_OUT,
}


class Kept:
    """Creates the directory if it is missing. Raises OSError."""

    def __init__(self, directory, keep_vehicle):
        self._directory = directory
        self._keep_vehicle = keep_vehicle
        try:
            os.mkdir(directory)
        except OSError:
            os.listdir(directory)  # raises if it is not a directory
        self._outlets = ()
        self._readers = ()
        self._written = None

    # Registers.

    def registers(self, delivered_wh):
        """Returns a Register for each connector; a register never decreases below what a meter has shown."""
        count = len(delivered_wh)
        self._imported = Record(self._directory + "/meters.bin", count)
        self._exported = Record(self._directory + "/exports.bin", count)
        registers = [Register(wh) for wh in delivered_wh]
        for register, uj in zip(registers, self._imported.values or (0,) * count):  # noqa: B905
            register.uj = max(register.uj, uj)
        return registers

    def save_registers(self, _=None):
        self._imported.save(*[outlet.meter.register.uj for outlet in self._outlets])
        self._exported.save(*[outlet.meter.exported.uj for outlet in self._outlets])

    # Condition.

    def attach(self, outlets, readers):
        """Restores the condition of the world, and saves it from now on."""
        self._outlets, self._readers = outlets, readers
        exported = self._exported.values or ()
        for outlet, uj in zip(outlets, exported):  # noqa: B905
            outlet.meter.exported.uj = uj
        kept = self._load()
        if kept:
            for outlet, condition in zip(outlets, kept["outlets"]):  # noqa: B905
                outlet.restore(condition)
                if self._keep_vehicle and condition["vehicle"]:
                    outlet.restore_vehicle(*condition["vehicle"])
            for reader in readers:
                reader.state, reader.dead = kept["reader"]
        for outlet in outlets:
            outlet.changed = self.save

    def _load(self):
        try:
            with open(self._directory + "/world.json") as file:
                return json.load(file)
        except OSError:
            return None  # a new one

    def save(self):
        """Saves the condition of the world if it has changed."""
        outlets = []
        for outlet in self._outlets:
            condition = outlet.condition()
            condition["vehicle"] = outlet.vehicle_state() if self._keep_vehicle else None
            outlets.append(condition)
        reader = self._readers[0] if self._readers else None
        text = json.dumps({"outlets": outlets, "reader": [reader.state, reader.dead] if reader else None})
        if text != self._written:
            path = self._directory + "/world.json"
            with open(path + ".new", "w") as file:
                file.write(text)
            os.rename(path + ".new", path)
            self._written = text
        self.save_registers()

    # Clock and cause.

    def clock(self, clock):
        """Sets the real-time clock to the time kept by its battery."""
        self._clock = clock
        self._clock_record = Record(self._directory + "/rtc.bin", 3)
        if self._clock_record.values:
            clock.restore(*self._clock_record.values)

    def save_clock(self):
        self._clock_record.save(*self._clock.keep())

    def set_cause(self, kind):
        """Sets the reset cause for the next start, one of CAUSES."""
        with open(self._directory + "/reset_cause", "w") as file:
            file.write(kind)

    def take_cause(self):
        """Returns the reset cause of this start (constant of `machine`); without a reset the next one is a power-on."""
        path = self._directory + "/reset_cause"
        try:
            with open(path) as file:
                kind = file.read()
            os.remove(path)
        except OSError:
            return machine.PWRON_RESET
        return CAUSES.get(kind, machine.PWRON_RESET)

    def take_cut(self):
        """Returns the number of bytes written to flash after which the power is lost in this start, or None."""
        path = self._directory + "/cut_after"
        try:
            with open(path) as file:
                count = int(file.read())
            os.remove(path)
        except OSError:
            return None
        return count
