"""An asyncio loop in virtual time without file descriptors, so that it lives on in a forked process."""

import asyncio


class VirtualLoop(asyncio.BaseEventLoop):
    """Time only passes while every task waits. `on_time(ms)` is called when it has passed.

    `grain_ms`: all timers end at multiples of it. Coarse steps speed up long waits.
    """

    def __init__(self):
        super().__init__()
        self._seconds = 0.0
        self._selector = self
        self.grain_ms = 0
        self.on_time = None
        self.set_task_factory(_told_of_death)

    @property
    def ms(self):
        return round(self._seconds * 1000)

    def time(self):
        return self._seconds

    def adopt(self):
        """Call it in a forked process, to run this loop there."""
        asyncio._set_running_loop(self)

    # The selector.

    def select(self, timeout):
        if timeout is None:
            raise RuntimeError("every task waits for ever")
        if timeout > 0:
            self._seconds += timeout
            if self.grain_ms:
                self._seconds = -(-self.ms // self.grain_ms) * self.grain_ms / 1000
            if self.on_time:
                self.on_time(self.ms)
        return ()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass


def _told_of_death(loop, coroutine, **options):
    """Calls the loop's exception handler for a failed task that is not awaited, as MicroPython's asyncio does."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    task.add_done_callback(lambda task: loop.call_soon(_tell, loop, task))
    return task


def _tell(loop, task):
    if not task.cancelled() and task._log_traceback:  # its exception was not retrieved
        loop.call_exception_handler({"future": task, "exception": task.exception()})
