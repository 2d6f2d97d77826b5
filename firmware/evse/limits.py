"""Current limits in named slots, the lowest applies; pilot duty cycle of a current (IEC 61851-1 table A.7).

Currents are mA per phase. Duty cycles are in 0.01 %: 1000 is 10 % or 6 A.
"""

from micropython import const

# IEC 61851-1 table A.7: a pilot cannot signal less. Below it there is only the pause.
MIN_PILOT_MA = const(6_000)
MAX_PILOT_MA = const(80_000)

# Not duty cycles but the two steady levels, in the same scale.
STEADY = const(10_000)  # +12 V: connected, no current. The vehicle's resistor stays readable.
STATE_F = const(0)  # -12 V: the station is not available

# Up to here the duty cycle in % is A / 0.6; above, A / 2.5 + 64. The second formula begins below the end of the first,
# so between 51 and 52.5 A a vehicle reads up to 1.5 A less than is allowed, never more.
_KNEE_MA = const(51_000)


def duty_for(milliamps):
    """Returns the duty cycle in 0.01 %, rounded to the nearest, for 6 to 80 A; STEADY below, that of 80 A above."""
    if milliamps < MIN_PILOT_MA:
        return STEADY
    if milliamps <= _KNEE_MA:
        return (milliamps + 3) // 6
    if milliamps > MAX_PILOT_MA:
        milliamps = MAX_PILOT_MA
    return (milliamps + 12) // 25 + 6_400


class Limits:
    """The lowest of all named slots counts, and its name says why. 0 in a slot is a pause."""

    def __init__(self):
        self._slots = {}
        self._allowed = (0, "none")  # kept, so that asking 50 times a second costs nothing

    def set(self, name, milliamps):
        """Sets a slot to mA per phase, 0 or more. Raises ValueError."""
        if milliamps < 0:
            raise ValueError("a current limit is not negative")
        if self._slots.get(name) != milliamps:
            self._slots[name] = milliamps
            self._decide()

    def clear(self, name):
        """Takes a slot away; one that is not set is ignored."""
        if self._slots.pop(name, None) is not None:
            self._decide()

    def get(self, name):
        """Returns the mA of a slot, or None."""
        return self._slots.get(name)

    def allowed(self):
        """Returns (mA, name of the slot that decides): 0 below MIN_PILOT_MA, and (0, "none") without any slot.

        It is the same object until the answer is another one.
        """
        return self._allowed

    def slots(self):
        """Returns [(mA, name), ...], the lowest first: the whole explanation."""
        return sorted((milliamps, name) for name, milliamps in self._slots.items())

    def _decide(self):
        # min() over (mA, name) makes the choice between equal slots the same on every interpreter.
        milliamps, name = self.slots()[0] if self._slots else (0, "none")
        allowed = (milliamps if milliamps >= MIN_PILOT_MA else 0, name)
        if allowed != self._allowed:
            self._allowed = allowed
