"""Task supervisor: names, heartbeats and restarts of long-lived tasks; feeds the watchdog while all are alive.

A task that raises is logged and restarted after a back-off. A task whose heartbeat stops is cancelled and restarted.
When a critical task fails or hangs, `on_critical(name)` is called first, where the composition root opens the
contactors. If Python itself hangs, the watchdog is no longer fed and resets the board.

The event loop's exception handler reports tasks that failed; ours are restarted, others logged.
"""

import asyncio

from micropython import const

_CHECK_MS = const(500)
_BACKOFF_MIN_MS = const(100)
_BACKOFF_MAX_MS = const(30_000)
_FAREWELL_S = const(2)
_STABLE_MS = const(60_000)  # a task that ran this long restarts with the shortest back-off


class LoopGaps:
    """Histogram of a periodic task's lateness in whole milliseconds: how long other tasks block the scheduler."""

    _BINS = 32  # 0 .. 30 ms, and one for everything above

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
        """Returns the lateness in ms not exceeded by `permille` of 1000 periods (999: p99.9)."""
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
    """One supervised task: its state, and the function that its run() calls as heartbeat."""

    def __init__(self, name, run, clock, heartbeat_ms, critical, period_ms, gaps):
        self.name = name
        self.run = run
        self._clock = clock
        self.heartbeat_ms = heartbeat_ms
        self.critical = critical
        self.period_ms = period_ms
        self.gaps = gaps  # LoopGaps of a periodic task
        self.beat_at = 0  # ms
        self.handle = None  # the asyncio task that runs it, or waits to restart it
        self.started = 0  # ms; the first time at power-on
        self.backoff_ms = _BACKOFF_MIN_MS
        self.waiting = False  # True from a failure until the restart
        self.restarts = 0

    def __call__(self):
        now = self._clock.ms()
        if self.period_ms:
            self.gaps.record(now - self.beat_at - self.period_ms)
        self.beat_at = now


class Supervisor:
    """Starts tasks in the order in which they were added and restarts them until `run()` is cancelled.

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
        """Adds a task: `async run(beat)` calls beat() at least every `heartbeat_ms` (None: no heartbeat).

        With `period_ms` each beat marks one period, whose lateness is counted in `gaps`. A run() that returns is done.
        """
        self._tasks.append(_Task(name, run, self._clock, heartbeat_ms, critical, period_ms, self.gaps))

    def tasks(self):
        """Yields (name, alive, restarts, ms since the last heartbeat or None) for every task."""
        now = self._clock.ms()
        for task in self._tasks:
            yield task.name, _alive(task), task.restarts, now - task.beat_at if task.heartbeat_ms else None

    async def run(self):
        """Runs and supervises all tasks. When cancelled, ends every task first."""
        asyncio.get_event_loop().set_exception_handler(self._died)
        try:
            for task in self._tasks:
                self._start(task)
            while True:
                if self._check() and self._watchdog:
                    self._watchdog.feed()
                await self._clock.sleep_ms(_CHECK_MS)
        finally:
            await self._end_all()

    def _start(self, task):
        if task.heartbeat_ms:
            task.beat_at = self._clock.ms()
        run = self._watched(task) if task.critical else task.run(task)
        task.handle = asyncio.create_task(run)

    async def _watched(self, task):
        """Runs a critical task and reports its failure at once; the event loop would run other tasks first."""
        try:
            await task.run(task)
        except Exception:
            self._fail(task)
            raise

    def _fail(self, task):
        if task.critical and self._on_critical:
            self._on_critical(task.name)

    def _died(self, loop, context):
        """The loop's exception handler."""
        for task in self._tasks:
            if task.handle is context.get("future"):
                self._run_again(task)
                return
        self._log.exception("task", context.get("exception"))

    def _run_again(self, task):
        task.waiting = True
        task.handle = asyncio.create_task(self._again(task, task.handle))

    async def _again(self, task, handle):
        """Restarts a task after its back-off, once its last run has ended."""
        try:
            await handle
        except asyncio.CancelledError:
            if not task.waiting:
                raise  # no restart: the supervisor ends
        except Exception as exc:
            self._log.exception(task.name, exc)
        if self._clock.ms() - task.started > _STABLE_MS:
            task.backoff_ms = _BACKOFF_MIN_MS
        await self._clock.sleep_ms(task.backoff_ms)
        task.backoff_ms = min(task.backoff_ms * 2, _BACKOFF_MAX_MS)
        task.restarts += 1
        task.waiting = False
        task.started = self._clock.ms()
        self._start(task)

    async def _end_all(self):
        """Cancels every task and waits a limited time until it has ended."""
        alive = [task for task in self._tasks if _alive(task)]
        for task in alive:
            task.waiting = False
            task.handle.cancel()
        for task in alive:
            try:
                await asyncio.wait_for(task.handle, _FAREWELL_S)
            except (asyncio.CancelledError, asyncio.TimeoutError):
                pass
            except Exception as exc:
                self._log.exception(task.name, exc)

    def _check(self):
        """Cancels tasks whose heartbeat has stopped. Returns True when all heartbeats are fresh."""
        now = self._clock.ms()
        fresh = True
        for task in self._tasks:
            if not task.heartbeat_ms or now - task.beat_at <= task.heartbeat_ms or not _alive(task):
                continue
            fresh = False
            self._log.error("tasks", "%s: no heartbeat for %d ms", task.name, now - task.beat_at)
            task.beat_at = now
            self._fail(task)
            if not task.waiting:
                task.handle.cancel()
                self._run_again(task)
        return fresh


def _alive(task):
    return task.handle is not None and not task.handle.done()
