"""Supervised tasks: a long-lived task has a name, a heartbeat and restarts; the watchdog is fed while all are alive.

A task that dies of an exception is logged and started again after a back-off. A task whose heartbeat stops is cancelled
and started again. When a critical task dies or hangs, `on_critical(name)` is called first: the composition root opens
the contactors there. A watchdog that is no longer fed resets the board, which is the last resort for a hang in Python.
"""

import asyncio

from micropython import const

_CHECK_MS = const(500)
_BACKOFF_MIN_MS = const(100)
_BACKOFF_MAX_MS = const(30_000)
_FAREWELL_S = const(2)
_STABLE_MS = const(60_000)  # a task that lived this long starts again with the shortest back-off


class LoopGaps:
    """How long the scheduler was held: a histogram of the lateness of a periodic task, in whole milliseconds."""

    _BINS = 64  # 0 .. 62 ms, and one for everything above

    def __init__(self):
        self.reset()

    def reset(self):
        self._bins = [0] * self._BINS
        self.count = 0
        self.max_ms = 0

    def record(self, late_ms):
        if late_ms < 0:
            late_ms = 0
        self.count += 1
        self._bins[min(late_ms, self._BINS - 1)] += 1
        if late_ms > self.max_ms:
            self.max_ms = late_ms

    def quantile_ms(self, permille):
        """Returns the lateness that `permille` of 1000 periods did not exceed (999: p99.9), in ms."""
        allowed = self.count * (1000 - permille) // 1000
        above = 0
        for late_ms in range(self._BINS - 1, -1, -1):
            above += self._bins[late_ms]
            if above > allowed:
                return self.max_ms if late_ms == self._BINS - 1 else late_ms
        return 0

    @property
    def p999_ms(self):
        return self.quantile_ms(999)


class _Task:
    """One supervised task; what the supervisor knows of it."""

    critical = False
    gaps = None  # LoopGaps of a periodic task
    period_ms = None
    handle = None  # the asyncio task that runs it, again after every death
    running = False  # False while it waits to be run again
    restarts = 0
    done = False
    hung = False

    def __init__(self, name, run, heartbeat_ms, clock):
        self.name = name
        self.run = run
        self.heartbeat_ms = heartbeat_ms
        self.beat_at = 0
        self._clock = clock

    def beat(self):
        """What the task calls at each heartbeat."""
        now = self._clock.ms()
        if self.gaps:
            self.gaps.record(now - self.beat_at - self.period_ms)
        self.beat_at = now


class Supervisor:
    """Starts tasks in the order in which they were added and keeps them alive until `run()` is cancelled.

    `watchdog` has feed() (machine.WDT) or is None. `on_critical(name)` must not raise or wait.
    """

    def __init__(self, clock, log, watchdog=None, on_critical=None):
        self._clock = clock
        self._log = log
        self._watchdog = watchdog
        self._on_critical = on_critical
        self._tasks = []
        self.gaps = LoopGaps()

    def add(self, name, run, heartbeat_ms=None, critical=False, period_ms=None):
        """Adds a task: `async run(beat)` calls beat() at least every `heartbeat_ms` (None: it may be silent).

        With `period_ms` each beat marks one period, and its lateness goes into `gaps`. A run() that returns is done.
        """
        task = _Task(name, run, heartbeat_ms, self._clock)
        # What few tasks have is no attribute of the others: it would take room in every one of them.
        if critical:
            task.critical = True
        if period_ms:
            task.period_ms = period_ms
            task.gaps = self.gaps
        self._tasks.append(task)

    def tasks(self):
        """Yields (name, alive, restarts, ms since the last heartbeat) for every task."""
        now = self._clock.ms()
        for task in self._tasks:
            yield task.name, task.handle is not None and not task.done, task.restarts, now - task.beat_at

    async def run(self):
        """Runs all tasks and watches over them. When cancelled, ends every task first."""
        try:
            for task in self._tasks:
                task.beat_at = self._clock.ms()
                task.handle = asyncio.create_task(self._keep(task))
            while True:
                if self._check() and self._watchdog:
                    self._watchdog.feed()
                await self._clock.sleep_ms(_CHECK_MS)
        finally:
            await self._end_all()

    async def _end_all(self):
        """Cancels every task and waits, not for long, until it has cleaned up behind itself."""
        for task in self._tasks:
            if task.handle and not task.done:
                task.hung = False
                task.handle.cancel()
        for task in self._tasks:
            if task.handle and not task.done:
                try:
                    await asyncio.wait_for(task.handle, _FAREWELL_S)
                except (asyncio.CancelledError, asyncio.TimeoutError):
                    pass

    async def _keep(self, task):
        """Runs one task for ever, again after every death."""
        backoff_ms = _BACKOFF_MIN_MS
        while True:
            task.hung = False
            started = task.beat_at = self._clock.ms()
            task.running = True
            try:
                await task.run(task.beat)
                task.done = True
                return
            except asyncio.CancelledError:
                if not task.hung:
                    raise
            except Exception as exc:
                self._log.exception(task.name, exc)
                self._fail(task)
            task.running = False
            if self._clock.ms() - started > _STABLE_MS:
                backoff_ms = _BACKOFF_MIN_MS
            await self._clock.sleep_ms(backoff_ms)
            backoff_ms = min(backoff_ms * 2, _BACKOFF_MAX_MS)
            task.restarts += 1

    def _check(self):
        """Cancels tasks whose heartbeat has stopped. Returns True when all heartbeats are fresh."""
        now = self._clock.ms()
        fresh = True
        for task in self._tasks:
            if task.done or not task.heartbeat_ms or now - task.beat_at <= task.heartbeat_ms:
                continue
            fresh = False
            self._log.error("tasks", "%s: no heartbeat for %d ms", task.name, now - task.beat_at)
            task.beat_at = now
            self._fail(task)
            if task.running:
                task.hung = True
                task.handle.cancel()
        return fresh

    def _fail(self, task):
        if task.critical and self._on_critical:
            self._on_critical(task.name)
