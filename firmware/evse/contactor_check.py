"""Does the contactor do what its coil says? Compares the command with the auxiliary contact."""

from micropython import const

# From switching to the first judgement; with the 250 ms of debounce in the fault table nothing within 1.25 s of a
# switching is believed. Contacts bounce, and a voltage sense decays slowly.
_SETTLE_MS = const(1_000)


class ContactorCheck:
    """`welded`: open by command, closed by the contact. `stuck_open`: the other way round. Without contact neither."""

    def __init__(self):
        self.welded = False
        self.stuck_open = False
        self._commanded = False
        self._switched_at = 0

    def step(self, commanded, closed, now_ms):
        """Takes the command of the last step and the auxiliary contact (None = not fitted)."""
        if commanded != self._commanded:
            self._commanded = commanded
            self._switched_at = now_ms
        settled = closed is not None and now_ms - self._switched_at >= _SETTLE_MS
        self.welded = settled and closed and not commanded
        self.stuck_open = settled and commanded and not closed
