"""Does the contactor do what its coil says? Compares the command with the auxiliary contact, and with the meter."""

from micropython import const

from firmware.evse.supply_check import LOAD_MA, exceeds

# From switching to the first judgement; with the 250 ms of debounce in the fault table nothing within 1.25 s of a
# switching is believed. Contacts bounce, and a voltage sense decays slowly.
_SETTLE_MS = const(1_000)
# A reading that arrives this long after opening was begun after it, on the slowest bus. One may be a mistake.
_METER_SETTLE_MS = const(3_000)
_METER_READINGS = const(2)


class ContactorCheck:
    """`welded`: open by command, closed by the contact or by what the meter sees flow. `stuck_open`: the other way
    round, by the contact only: a vehicle need not draw.

    Without contact a weld shows while a vehicle draws. The meter stands before the contactor, so its voltages are
    there in any case.
    """

    def __init__(self):
        self.welded = False
        self.stuck_open = False
        self._commanded = False
        self._switched_at = 0
        self._judged = None  # newest reading
        self._loaded = 0  # readings in a row with a load behind an open contactor

    def step(self, commanded, closed, currents_ma, now_ms):
        """Takes the command of the last step, the auxiliary contact (None = not fitted) and the newest currents."""
        if commanded != self._commanded:
            self._commanded = commanded
            self._switched_at = now_ms
        elapsed = now_ms - self._switched_at
        if currents_ma is not self._judged:
            self._judged = currents_ma
            loaded = not commanded and elapsed >= _METER_SETTLE_MS and exceeds(currents_ma, LOAD_MA)
            self._loaded = self._loaded + 1 if loaded else 0
        settled = closed is not None and elapsed >= _SETTLE_MS
        self.welded = not commanded and ((settled and closed) or self._loaded >= _METER_READINGS)
        self.stuck_open = settled and commanded and not closed
