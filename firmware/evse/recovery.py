"""Recovery from an exception in a connector's control: pauses between the attempts to run it again."""

from micropython import const

# A transient cause (no memory, a device reset) is over after a second; for a permanent one an attempt a minute is
# enough.
FIRST_PAUSE_MS = const(1_000)
LONGEST_PAUSE_MS = const(60_000)
# The fault ends after this time without an exception, so that a repeated failure is not reported again.
PROVEN_MS = const(1_000)
# After this time without a failure the pauses start again at the first.
FORGOTTEN_MS = const(600_000)

WORKS = const(0)
RESTS = const(1)  # pause: open and in state F; the connector is not stepped
TRIES = const(2)  # stepped again; no energy until it has worked for PROVEN_MS

# failed() leads to RESTS from any state.
# RESTS -> TRIES   the pause is over
# TRIES -> WORKS   PROVEN_MS without an exception


class Recovery:
    """`state` is WORKS, RESTS or TRIES."""

    def __init__(self):
        self.state = WORKS
        self._since = 0
        self._pause_ms = 0  # present or last pause

    def failed(self, now_ms):
        """Call it after an exception. Returns the ms until the next attempt."""
        if not self._pause_ms or (self.state == WORKS and now_ms - self._since >= FORGOTTEN_MS):
            self._pause_ms = FIRST_PAUSE_MS
        else:
            self._pause_ms = min(2 * self._pause_ms, LONGEST_PAUSE_MS)
        self._enter(RESTS, now_ms)
        return self._pause_ms

    def step(self, now_ms):
        """Returns True when the state has changed because of the time."""
        elapsed = now_ms - self._since
        if self.state == RESTS and elapsed >= self._pause_ms:
            self._enter(TRIES, now_ms)
        elif self.state == TRIES and elapsed >= PROVEN_MS:
            self._enter(WORKS, now_ms)
        else:
            return False
        return True

    def _enter(self, state, now_ms):
        self.state = state
        self._since = now_ms
