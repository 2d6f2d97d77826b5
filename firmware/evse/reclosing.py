"""Reclosing: pause before an opened contactor may close again, longer after each closing that fails.

A closing has failed when a fault opens the contactor or withdraws an offer, or when the power is lost right after it. A
supply that sags under load recovers as soon as the contactor is open; without growing pauses it would switch all night.
"""

from micropython import const

# From an opening to the next closing; protects contactor and on-board charger if a vehicle toggles S2.
RECLOSE_AFTER_MS = const(5_000)
RECLOSE_AFTER_FAULT_MS = const(30_000)  # after the cause of a fault, E or D was last present
RECLOSE_AFTER_UNPLUG_MS = const(1_000)  # only for bouncing contacts

# Pause after the first, second, ... failure in a row, in seconds; the last one for all that follow.
PAUSES_S = (30, 60, 120, 240, 480, 900)
FORGET_AFTER_MS = const(600_000)  # without a failure (pauses not counted): the first pause applies again
PROVEN_AFTER_MS = const(15_000)  # vehicles take up to 10 s to draw; the debounce of the voltages comes on top
# A power loss so soon after closing was caused by it. A later one may be a coincidence: it counts as a failure from the
# second time on.
AT_ONCE_MS = const(1_000)
_NO_TRIAL_MS = const(60_000)  # end of a trial if the vehicle does not request energy by then

# State of the contactor at a power loss.
_OPEN = const(0)  # open, or closed long enough to have succeeded
_AT_ONCE = const(1)
_SOON = const(2)


class Reclosing:
    """`failures` in a row. `unproven`: no closing since the last failure has lasted for PROVEN_AFTER_MS.

    `kept` is a tuple of three small integers to keep over a power loss for `resume()`; a new object when it has
    changed: three times per closing, otherwise only after a failure.
    """

    def __init__(self):
        self.failures = 0
        self.unproven = False
        self.kept = (0, 0, _OPEN)
        self._of_supply = False  # the last failure was one of the supply, which the next vehicle shares
        self._suspected = 0  # number of power losses soon after a closing
        self._stage = _OPEN
        self._until = 0
        self._pause_until = 0
        self._closed_at = None

    def resume(self, kept, now_ms):
        """Continues with `kept` after a power loss. Raises TypeError or ValueError for an invalid value."""
        failures, suspected, stage = kept
        if stage == _AT_ONCE or (stage == _SOON and (suspected or failures)):
            failures += 1
        self._suspected = int(stage != _OPEN or suspected > 0)
        self._of_supply = True
        self.failures = failures
        if failures:
            self._pause(now_ms)
        self._keep()

    def waits(self, now_ms):
        """True while it is too early to close."""
        return now_ms < self._until or now_ms < self._pause_until

    def rests(self, now_ms):
        """True during the pause after a failure, in which nothing is offered."""
        return now_ms < self._pause_until

    def quiet_ms(self, now_ms):
        """Time without a failure since the last pause, ms."""
        return max(0, now_ms - self._pause_until)

    def failed(self, closed, of_supply, now_ms):
        """A fault opens the contactor (`closed`) or withdraws an offer. `of_supply`: the next vehicle has it, too."""
        self.failures += 1
        self.unproven = closed
        self._of_supply = of_supply
        self._pause(now_ms)
        self._keep()

    def opened(self, away, now_ms):
        """The contactor was opened; `away`: the vehicle was unplugged."""
        self._until = now_ms + (RECLOSE_AFTER_UNPLUG_MS if away else RECLOSE_AFTER_MS)

    def troubled(self, away, now_ms):
        """The cause of a fault is present."""
        self._until = now_ms + (RECLOSE_AFTER_UNPLUG_MS if away else RECLOSE_AFTER_FAULT_MS)

    def unplugged(self, now_ms):
        """The vehicle was unplugged: resets what concerns only that vehicle."""
        self._until = min(self._until, now_ms + RECLOSE_AFTER_UNPLUG_MS)
        self.unproven = False
        if self.failures == 1 or not self._of_supply:
            self._pause_until = min(self._pause_until, now_ms)
            self._forget()

    def step(self, closed, now_ms):
        """Takes the contactor's command, 50 times a second."""
        stage = _OPEN
        if closed:
            if self._closed_at is None:
                self._closed_at = now_ms
            age = now_ms - self._closed_at
            if age < PROVEN_AFTER_MS:
                stage = _AT_ONCE if age < AT_ONCE_MS else _SOON
            else:
                self.unproven = False
                self._suspected = 0
        else:
            self._closed_at = None
            if self.unproven and self.quiet_ms(now_ms) >= _NO_TRIAL_MS:
                self.unproven = False
        if (self.failures or self._suspected) and self.quiet_ms(now_ms) >= FORGET_AFTER_MS:
            self._forget()
        if stage != self._stage:
            self._stage = stage
            self._keep()

    def _pause(self, now_ms):
        self._pause_until = now_ms + PAUSES_S[min(self.failures, len(PAUSES_S)) - 1] * 1000

    def _forget(self):
        self.failures = self._suspected = 0
        self._keep()

    def _keep(self):
        kept = (self.failures, self._suspected, self._stage)
        if kept != self.kept:
            self.kept = kept
