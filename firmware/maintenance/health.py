"""How the station itself is doing: flash, heap, scheduler, tasks. Looked at on demand, logged once a day."""

import gc
import os

from micropython import const

_DAY_MS = const(86_400_000)
_FIRST_MS = const(60_000)  # when everything has settled after the start


class Health:
    """Figures of this power-on. `supervisor` is kernel.tasks.Supervisor, `logs` have `wear` (store Journal, History).

    `cause` says why the station was started, for a person.
    """

    def __init__(self, storage, clock, log, supervisor, logs, cause=""):
        self._storage = storage
        self._clock = clock
        self._log = log
        self._supervisor = supervisor
        self._logs = logs
        self._cause = cause

    def snapshot(self):
        """Returns {name: value}; raises OSError when the flash cannot be looked at.

        flash_used, flash_free in bytes (LittleFS looks through all its blocks for them: not more than now and then);
        commits, bytes_written of journal and history; gap_ms: lateness of the control task, 99.9 % and worst;
        restarts {task: count} of those that had any; heap_used, heap_free in bytes; uptime in s; started: why.
        """
        _, block, total, free = os.statvfs(self._storage)[:4]
        gaps = self._supervisor.gaps
        return {
            "flash_used": (total - free) * block,
            "flash_free": free * block,
            "commits": sum([log.wear[0] for log in self._logs]),
            "bytes_written": sum([log.wear[1] for log in self._logs]),
            "gap_ms": (gaps.p999_ms, gaps.max_ms),
            "restarts": {name: restarts for name, _, restarts, _ in self._supervisor.tasks() if restarts},
            "heap_used": gc.mem_alloc(),
            "heap_free": gc.mem_free(),
            "uptime": self._clock.ms() // 1000,
            "started": self._cause,
        }

    async def run(self, beat):
        """Logs the figures a minute after the start and then once a day."""
        wait_ms = _FIRST_MS
        while True:
            await self._clock.sleep_ms(wait_ms)
            wait_ms = _DAY_MS
            self._tell()

    def _tell(self):
        try:
            figures = self.snapshot()
        except OSError as exc:
            self._log.error("health", "%s", exc)
            return
        for group in (("flash_used", "flash_free", "commits", "bytes_written"), ("heap_used", "heap_free", "gap_ms")):
            self._log.info("health", "%s", ", ".join(["%s %s" % (name, figures[name]) for name in group]))
        self._log.info("health", "up %d s, started by %s", figures["uptime"], figures["started"] or "power-on")
        if figures["restarts"]:
            self._log.warning("health", "tasks restarted: %s", figures["restarts"])
