"""Charging task: runs its parts ten times a second; an exception affects only one part."""

from micropython import const

_STEP_MS = const(100)
_LOG_AGAIN_MS = const(60_000)  # what fails for long is not logged ten times a second
_STUCK_MS = const(2_000)


class Turn:
    """One part. `step()` does what is due; when it raises, it is called again at the next turn.

    `stuck(True)` is called when it has done nothing but raise for 2 s, and `stuck(False)` when it works again.
    """

    def __init__(self, area, step, clock, log, stuck=None):
        self._area = area
        self._step = step
        self._clock = clock
        self._log = log
        self._stuck = stuck
        self._failing_ms = None  # since when it raises
        self._logged_ms = None
        self._told = False

    def take(self):
        """Calls step(). Does not raise."""
        try:
            self._step()
            if self._failing_ms is not None:
                self._failing_ms = None
                self._tell(False)
        except Exception as exc:
            self._failed(exc)

    def _failed(self, exc):
        now = self._clock.ms()
        if self._failing_ms is None:
            self._failing_ms = now
        try:
            if self._logged_ms is None or now - self._logged_ms >= _LOG_AGAIN_MS:
                self._log.exception(self._area, exc)
                self._logged_ms = now
            if now - self._failing_ms >= _STUCK_MS:
                self._tell(True)
        except Exception:
            pass  # no memory even for that: the next turn comes

    def _tell(self, stuck):
        if self._stuck and stuck != self._told:
            self._stuck(stuck)
            self._told = stuck


class ChargingTask:
    """`await restart()`, what has to be done before a transaction may begin, comes first."""

    def __init__(self, clock, log, restart):
        self._clock = clock
        self._log = log
        self._turns = []
        self._restarted = False
        self.restart = restart

    def add(self, area, step, stuck=None):
        """Adds a part, see Turn; the parts have their turns in this order."""
        self._turns.append(Turn(area, step, self._clock, self._log, stuck))

    async def run(self, beat):
        """Runs for ever."""
        if not self._restarted:
            await self.restart()
        self._restarted = True
        while True:
            beat()
            self.step()
            await self._clock.sleep_ms(_STEP_MS)

    def step(self):
        """What is due now in all parts."""
        for turn in self._turns:
            turn.take()
