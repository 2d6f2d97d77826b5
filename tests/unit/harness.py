"""What a test file needs besides plain functions and bare asserts; runs on CPython and on the MicroPython unix port."""

import asyncio
import sys

from firmware.kernel.clock import Clock


class raises:
    """`with raises(ValueError) as caught:` fails unless the block raises that exception, kept as `caught.value`."""

    def __init__(self, *expected):
        self._expected = expected
        self.value = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            raise AssertionError("did not raise %s" % ", ".join(e.__name__ for e in self._expected))
        self.value = value
        return issubclass(kind, self._expected)


def run(coroutine):
    """Runs a coroutine in an event loop of its own and returns its result."""
    try:
        return asyncio.run(coroutine)
    finally:
        asyncio.new_event_loop()  # MicroPython keeps one loop for ever: leave no task behind for the next test


def tell_of_deaths():
    """Lets the running loop of CPython tell its exception handler of a task's death as MicroPython's does: when nobody
    waits for its end, and not only when nobody holds the task any more."""
    if sys.implementation.name == "micropython":
        return
    loop = asyncio.get_running_loop()

    def create(loop, coroutine, **options):
        task = asyncio.Task(coroutine, loop=loop, **options)
        task.add_done_callback(lambda task: loop.call_soon(tell, task))
        return task

    def tell(task):
        if not task.cancelled() and task._log_traceback:  # nobody has had its exception
            loop.call_exception_handler({"future": task, "exception": task.exception()})

    loop.set_task_factory(create)


async def settle(rounds=20):
    """Lets every task that can run do so; for code that waits for nothing but other tasks of this loop.

    Ends as soon as nobody is left to run: virtual hours pass in steps of 20 ms, each of which settles.
    """
    for _ in range(rounds):
        await asyncio.sleep(0)
        if not _others_can_run():
            break


if sys.implementation.name == "micropython":
    import time
    from asyncio import core

    def _others_can_run():
        task = core._task_queue.peek()
        return task is not None and time.ticks_diff(task.ph_key, time.ticks_ms()) <= 0

else:

    def _others_can_run():
        return bool(asyncio.get_running_loop()._ready)


class MemoryStream:
    """An asyncio stream without a wire: what `arrive()` is given is read, and writing is left to subclasses."""

    def __init__(self, waiting=b""):
        self.waiting = waiting
        self._arrived = asyncio.Event()

    def arrive(self, data):
        self.waiting += data
        self._arrived.set()

    async def read(self, n):
        await asyncio.sleep(0)
        while not self.waiting:
            self._arrived.clear()
            await self._arrived.wait()
        data, self.waiting = self.waiting[:n], self.waiting[n:]
        return data

    async def drain(self):
        await asyncio.sleep(0)


class FakeClock(Clock):
    """The kernel's clock over time that only passes when a test says so.

    `advance(ms)` moves the time and wakes those whose sleep is over; `await run_for(ms)` does it from one wake-up to
    the next and lets the tasks run in between, as real time would.
    """

    def __init__(self, unix=1_800_000_000, synchronised=True):
        self._virtual_ms = 0
        self._sleepers = []  # [deadline, event]
        super().__init__(
            lambda: self._virtual_ms,
            lambda a, b: a - b,
            wall=(lambda: unix) if synchronised else None,
            sleep_ms=self._sleep_virtually,
        )

    @property
    def unix(self):
        return self.now()

    @unix.setter
    def unix(self, seconds):
        """Moves the wall clock silently; `set_unix()` does it with everything that belongs to it."""
        self._base = seconds * 1000 - self.ms()

    def advance(self, ms):
        self._virtual_ms += ms
        for deadline, event in self._sleepers:
            if deadline <= self._virtual_ms:
                event.set()

    async def run_for(self, ms):
        end = self._virtual_ms + ms
        await settle()
        while True:
            due = [deadline for deadline, event in self._sleepers if deadline <= end and not event.is_set()]
            if not due:
                break
            self.advance(max(0, min(due) - self._virtual_ms))
            await settle()
        self.advance(end - self._virtual_ms)
        await settle()

    async def _sleep_virtually(self, ms):
        sleeper = [self._virtual_ms + ms, asyncio.Event()]
        if ms <= 0:
            return await asyncio.sleep(0)
        self._sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers.remove(sleeper)
