"""Pilot voltage to state A to E, with hysteresis; diode check (IEC 61851-1 tables A.2 and A.4).

The positive half-wave is 12, 9, 6 or 3 V for the states A to D and about 0 V for E; the negative one stays at -12 V if
the vehicle has its diode. All voltages are mV at the control pilot terminal.
"""

from micropython import const

# Half-way between the nominal levels. The tolerance bands of table A.2 end at least 0.9 V from them.
BOUNDARIES_MV = (10_500, 7_500, 4_500, 1_500)
# IEC 61851-1 A.4.11 (optional hysteresis test): a level on a boundary must not toggle the state.
HYSTERESIS_MV = const(280)
# The diode keeps the negative half-wave at the generator's -12 V (table A.2: -11.4 V or lower); -10 V allows for
# measurement errors.
DIODE_MAX_MV = const(-10_000)
# Beyond the range of a +-12 V generator (+-5 %), with a margin for measurement errors.
HIGHEST_MV = const(13_500)
LOWEST_HIGH_HALF_MV = const(-3_000)

_LETTERS = ("A", "B", "C", "D", "E")
_E = const(4)


class PilotLevels:
    """Converts the positive half-wave to a state, with hysteresis around each boundary."""

    def __init__(self):
        self._level = None

    def letter(self, high_mv):
        """Returns "A" to "E" for the positive half-wave `high_mv`; no hysteresis for the first value."""
        level = self._level
        margin = HYSTERESIS_MV
        if level is None:
            level = 0
            margin = 0
        while level > 0 and high_mv > BOUNDARIES_MV[level - 1] + margin:
            level -= 1
        while level < _E and high_mv < BOUNDARIES_MV[level] - margin:
            level += 1
        self._level = level
        return _LETTERS[level]


def diode_present(low_mv):
    """True when the negative half-wave of a PWM (None = not measured) shows the vehicle's diode (table A.4 note)."""
    return low_mv is not None and low_mv <= DIODE_MAX_MV


def plausible(high_mv):
    """True when the generator can have produced this positive half-wave (None = no sample) with its output at +12 V."""
    return high_mv is not None and LOWEST_HIGH_HALF_MV <= high_mv <= HIGHEST_MV
