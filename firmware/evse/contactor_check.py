"""Contactor supervision: a welded or stuck contactor is detected by its auxiliary contact or by the meter."""

from micropython import const

from firmware.evse.supply_check import LOAD_MA, exceeds

# The contact is ignored for this time after switching, because contacts bounce and a voltage sense decays slowly. With
# the debounce of 250 ms in the fault table a fault is reported after 1.25 s at the earliest.
_SETTLE_MS = const(1_000)
# A meter reading that arrives this long after opening was begun after it, even on the slowest bus. Two are required.
_METER_SETTLE_MS = const(3_000)
_WELDED_READINGS = const(2)
_STANDING_READINGS = const(5)


class ContactorCheck:
    """Uses the auxiliary contact where fitted, otherwise the meter. Attributes:

    welded          commanded open, contact closed. Without contact: current flows, and the meter's values change
    stuck_open      commanded closed, contact open. Only with a contact: a vehicle need not draw current
    meter_standing  the meter shows a current that cannot flow: it, or a gateway, repeats an old reading

    Without contact a weld is only detected while a vehicle draws current: the meter is before the contactor, so its
    voltages do not depend on it.
    """

    def __init__(self):
        self.welded = False
        self.stuck_open = False
        self.meter_standing = False
        self._commanded = False
        self._switched_at = 0
        self._currents_ma = None  # latest reading
        self._energy_wh = None
        self._loaded = 0  # readings in a row with a load behind an open contactor
        self._moves = False  # values have changed between them

    def step(self, commanded, closed, currents_ma, energy_wh, now_ms):
        """Takes the command of the last step, the auxiliary contact (None = not fitted) and the latest reading."""
        if commanded != self._commanded:
            self._commanded = commanded
            self._switched_at = now_ms
        elapsed = now_ms - self._switched_at
        if currents_ma is not self._currents_ma:
            loaded = not commanded and elapsed >= _METER_SETTLE_MS and exceeds(currents_ma, LOAD_MA)
            if not loaded:
                self._loaded = 0
                self._moves = False
            else:
                if self._loaded and (currents_ma != self._currents_ma or energy_wh != self._energy_wh):
                    self._moves = True
                self._loaded += 1
            self._currents_ma = currents_ma
            self._energy_wh = energy_wh
        settled = closed is not None and elapsed >= _SETTLE_MS
        if closed is None:
            self.welded = not commanded and self._moves and self._loaded >= _WELDED_READINGS
        else:
            self.welded = not commanded and settled and closed
        self.stuck_open = settled and commanded and not closed
        self.meter_standing = not commanded and not self.welded and self._loaded >= _STANDING_READINGS
