# The vehicle at the end of the cable. MIT license.
"""Vehicle: the current that it draws, and its energy in whole microjoules."""

from micropython import const

_UJ_PER_WH = const(3_600_000_000)

VOLTS_MV = const(230_000)
UNDERVOLTAGE_MV = const(180_000)
OVERVOLTAGE_MV = const(280_000)
_DEAD_MV = const(50_000)  # below this a phase supplies no current


class Vehicle:
    """A vehicle draws its load only when it requests current (pilot state C or D) and is connected to the pilot."""

    def __init__(self):
        self.plugged = False
        self.cable_a = None
        self.pp = "cable"  # or an overriding value: ohm between PP and PE, "open" or "short"
        self.state = "A"  # or "custom": a forced voltage
        self.wants = False
        self.load_ma = (0, 0, 0)

    def proximity_ohm(self, coding):
        """Returns the resistance between PP and PE, None for none; `coding` has the ohm of the cables."""
        if self.pp == "cable":
            return coding[self.cable_a] if self.cable_a else None
        return {"open": None, "short": 0}.get(self.pp, self.pp)

    def draws(self, pilot, closed, closed_23, excess_ma=0, voltages_mv=(VOLTS_MV,) * 3):
        """Returns the currents in mA on L1, L2, L3; `excess_ma`: minimum of a vehicle that ignores the offer."""
        if not (self.wants and closed and pilot.seen):
            return (0, 0, 0)
        l1, l2, l3 = self.load_ma
        if not closed_23:
            l2 = l3 = 0
        if excess_ma:
            l1 = max(l1, excess_ma)
            l2 = max(l2, excess_ma) if l2 else 0
            l3 = max(l3, excess_ma) if l3 else 0
        v1, v2, v3 = voltages_mv
        return l1 if v1 >= _DEAD_MV else 0, l2 if v2 >= _DEAD_MV else 0, l3 if v3 >= _DEAD_MV else 0


class Register:
    """An energy register, exact: power in mW times milliseconds are microjoules."""

    def __init__(self, wh=0):
        self.uj = wh * _UJ_PER_WH

    def count(self, milliwatts, ms):
        self.uj += milliwatts * ms

    @property
    def wh(self):
        return self.uj // _UJ_PER_WH

    @wh.setter
    def wh(self, wh):
        self.uj = wh * _UJ_PER_WH

    def add_wh(self, wh):
        self.uj += wh * _UJ_PER_WH
