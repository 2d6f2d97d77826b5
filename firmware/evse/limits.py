"""Current limits in named slots, the lowest applies; pilot duty cycle of a current (IEC 61851-1 table A.7).

Currents are mA per phase. Duty cycles are in 0.01 %: 1000 is 10 % or 6 A.
"""

from micropython import const

# IEC 61851-1 table A.7: a pilot cannot signal less; below it charging pauses.
MIN_PILOT_MA = const(6_000)
MAX_PILOT_MA = const(80_000)

# The two steady levels, on the scale of duty cycles.
STEADY = const(10_000)  # +12 V: connected, no current. The vehicle's resistor stays readable.
STATE_F = const(0)  # -12 V: station not available

# Up to here the duty cycle in % is A / 0.6; above, A / 2.5 + 64. The second formula starts below the end of the first,
# so between 51 and 52.5 A a vehicle reads up to 1.5 A less than allowed, never more.
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
    """Named current limits; the lowest applies. 0 is a pause."""

    def __init__(self):
        self._slots = {}
        self._allowed = (0, "none")  # cached, since it is read 50 times a second
        self._stale = False  # an exception has left the cache behind the slots

    def set(self, name, milliamps):
        """Sets a slot to mA per phase, 0 or more. Raises ValueError."""
        if milliamps < 0:
            raise ValueError("a current limit must not be negative")
        if self._slots.get(name) != milliamps:
            self._stale = True
            self._slots[name] = milliamps
        if self._stale:
            self._decide()

    def clear(self, name):
        """Removes a slot, if it is set."""
        if name in self._slots:
            self._stale = True
            self._slots.pop(name)
        if self._stale:
            self._decide()

    def get(self, name):
        """Returns the mA of a slot, or None."""
        return self._slots.get(name)

    def allowed(self):
        """Returns (mA, name of the lowest slot): 0 below MIN_PILOT_MA, (0, "none") without slots.

        Returns the same object until the limit changes.
        """
        return self._allowed

    def slots(self):
        """Returns [(mA, name), ...], lowest first."""
        return sorted((milliamps, name) for name, milliamps in self._slots.items())

    def _decide(self):
        # min() over (mA, name): of equal slots the same one is chosen on every interpreter.
        milliamps, name = self.slots()[0] if self._slots else (0, "none")
        allowed = (milliamps if milliamps >= MIN_PILOT_MA else 0, name)
        if allowed != self._allowed:
            self._allowed = allowed
        self._stale = False
