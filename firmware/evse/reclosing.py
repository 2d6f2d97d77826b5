"""Reclosing: pause before an opened contactor may close again, longer after each closing that fails.

Closing has failed when a fault opens the contactor or withdraws an offer, and when the power goes right after it. A
supply that sags under load comes back as soon as the contactor is open; without a growing pause it is tried all night.
"""

from micropython import const

# From an opening to the next closing; saves contactor and on-board charger from a vehicle that toggles S2.
RECLOSE_AFTER_MS = const(5_000)
RECLOSE_AFTER_FAULT_MS = const(30_000)  # after the cause of a fault, E or D was last seen
RECLOSE_AFTER_UNPLUG_MS = const(1_000)  # the next vehicle need not wait for the last one, only for bouncing contacts

# Pause after the first, second, ... failure in a row, in seconds; the last one for all that follow.
PAUSES_S = (30, 60, 120, 240, 480, 900)
FORGET_AFTER_MS = const(600_000)  # without a failure, pauses not counted: the next one is the first again
PROVEN_AFTER_MS = const(15_000)  # vehicles take up to 10 s to draw; the debounce of the voltages comes on top
# A supply that goes so soon was taken down by the closing. One that goes later may have: that is a failure from the
# second time on.
AT_ONCE_MS = const(1_000)
_NO_TRIAL_MS = const(60_000)  # a vehicle that does not let the contactor close by then proves nothing

# What is known of a closed contactor when the power goes.
_OPEN = const(0)  # open, or closed for so long that it proved itself
_AT_ONCE = const(1)
_SOON = const(2)


class Reclosing:
    """`failures` in a row. `unproven`: no closing since the last one has lasted for PROVEN_AFTER_MS.

    `kept` is what has to survive a power cut, a tuple of three small integers for `resume()`; another object when it
    has changed. That is three times for a closing, and otherwise only when closing fails.
    """

    def __init__(self):
        self.failures = 0
        self.unproven = False
        self.kept = (0, 0, _OPEN)
        self._of_supply = False  # the last failure: the next vehicle has the same supply
        self._suspected = 0  # the power went soon after a closing, once
        self._stage = _OPEN
        self._until = 0
        self._pause_until = 0
        self._closed_at = None

    def resume(self, kept, now_ms):
        """The power is back: goes on with `kept`. Raises TypeError or ValueError for what is no such tuple."""
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
        """True while it is too soon to close."""
        return now_ms < self._until or now_ms < self._pause_until

    def rests(self, now_ms):
        """True during the pause after a failure, in which nothing is offered either."""
        return now_ms < self._pause_until

    def quiet_ms(self, now_ms):
        """How long nothing has failed since the last pause."""
        return max(0, now_ms - self._pause_until)

    def failed(self, closed, of_supply, now_ms):
        """A fault opens the contactor (`closed`), or withdraws an offer. `of_supply`: the next vehicle has it, too."""
        self.failures += 1
        self.unproven = closed
        self._of_supply = of_supply
        self._pause(now_ms)
        self._keep()

    def opened(self, away, now_ms):
        """The contactor was switched off; `away`: the vehicle has gone."""
        self._until = now_ms + (RECLOSE_AFTER_UNPLUG_MS if away else RECLOSE_AFTER_MS)

    def troubled(self, away, now_ms):
        """The cause of a fault is there."""
        self._until = now_ms + (RECLOSE_AFTER_UNPLUG_MS if away else RECLOSE_AFTER_FAULT_MS)

    def unplugged(self, now_ms):
        """The vehicle has gone, and with it what was its own."""
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
