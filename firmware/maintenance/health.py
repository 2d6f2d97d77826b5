"""Health figures of the station (flash wear, heap, loop lateness, task restarts), on demand and logged once a day."""

import gc
import os

from micropython import const

from firmware.store.statefile import StateFile
from firmware.store.wear import Wear

_FIRST_MS = const(60_000)  # after the start-up has finished
_HOUR_MS = const(3_600_000)
_DAY = const(24)  # hours

# Order in the file of their counts; drivers.reset_cause names them.
_CAUSES = ("power-on", "brown-out", "watchdog", "reset", "soft reset", "deep sleep", "unknown")

# Erases that a block of NOR flash endures; LittleFS spreads them over all blocks.
_BLOCK_ERASES = const(100_000)


class Health:
    """Figures of this station. `supervisor` is kernel.tasks.Supervisor, `memory` kernel.memory.Memory; `writers`: the
    objects that write to flash often, each with a `wear` (store.wear.Wear). `cause`: reason of the start
    (drivers.reset_cause); `slots`: a slots.ApplicationSlots.
    """

    def __init__(self, storage, clock, log, supervisor, memory, writers, cause, slots):
        self._storage = storage
        self._clock = clock
        self._log = log
        self._supervisor = supervisor
        self._memory = memory
        self._writers = writers
        self._cause = cause
        self._slots = slots
        self._before = self._file().load() or (0, 0)  # wear of earlier power-ons
        self._starts = self._starts_file().load() or [0] * len(_CAUSES)

    def snapshot(self):
        """Returns {name: value}; raises OSError when the flash cannot be read.

        flash_used, flash_free in bytes (slow: LittleFS reads all its blocks); erases and bytes programmed in all
        power-ons (estimated by store.wear.Wear), and the share of the flash's life that they are, in millionths;
        gap_ms: lateness of the control task, 99.9 % and maximum; tasks: {name: (alive, restarts, ms since the last
        heartbeat, None: it has none)}; heap_used, heap_free in bytes; garbage collections while a contactor was closed,
        and the longest in ms; uptime in s; started: reason of the start, starts: {reason: count} of all starts; slots:
        see slots.ApplicationSlots.snapshot(); crashes: records of the last starts that failed.
        """
        _, block, total, free = os.statvfs(self._storage)[:4]
        wear = self._wear()
        gaps = self._supervisor.gaps
        return {
            "flash_used": (total - free) * block,
            "flash_free": free * block,
            "erases": wear.erases,
            "programmed": wear.programmed,
            "worn_ppm": wear.erases * 1_000_000 // (total * _BLOCK_ERASES),
            "gap_ms": (gaps.p999_ms, gaps.max_ms),
            "tasks": {name: figures for name, *figures in self._supervisor.tasks()},
            "heap_used": gc.mem_alloc(),
            "heap_free": gc.mem_free(),
            "collections": self._memory.collections,
            "collection_ms": self._memory.longest_ms,
            "uptime": self._clock.ms() // 1000,
            "started": self._cause,
            "starts": {name: count for name, count in zip(_CAUSES, self._starts) if count},
            "slots": self._slots.snapshot(),
            "crashes": self._slots.crashes(),
        }

    async def run(self, beat):
        """Logs the figures a minute after the start and then once a day; keeps those of the flash every hour."""
        self._count_start()
        await self._clock.sleep_ms(_FIRST_MS)
        hours = 0
        while True:
            if hours % _DAY == 0:
                self._log_figures()
            hours += 1
            try:
                self.keep()
            except OSError as exc:
                self._log.error("health", "flash wear not stored: %s", exc)
            await self._clock.sleep_ms(_HOUR_MS)

    def keep(self):
        """Keeps how much was written. Raises OSError when the flash refuses, which is one more thing to know of it."""
        wear = self._wear()
        self._file().save((wear.erases, wear.programmed))

    def _count_start(self):
        self._starts[_CAUSES.index(self._cause)] += 1
        try:
            self._starts_file().save(self._starts)
        except OSError as exc:
            self._log.error("health", "the start is not counted: %s", exc)

    def _starts_file(self):
        return StateFile(self._storage + "/starts", self._log)

    def _file(self):
        return StateFile(self._storage + "/wear", self._log)

    def _log_figures(self):
        try:
            figures = self.snapshot()
        except OSError as exc:
            self._log.error("health", "%s", exc)
            return
        for group in (
            ("flash_used", "flash_free", "erases", "programmed", "worn_ppm"),
            ("heap_used", "heap_free", "collections", "collection_ms", "gap_ms"),
        ):
            self._log.info("health", "%s", ", ".join(["%s %s" % (name, figures[name]) for name in group]))
        self._log.info("health", "up %d s, started by %s", figures["uptime"], figures["started"])
        self._log.info("health", "starts: %s, %s", figures["starts"], self._slots.text() or "no slots")
        restarted = {name: task[1] for name, task in figures["tasks"].items() if task[1]}
        if restarted:
            self._log.warning("health", "tasks restarted: %s", restarted)

    def _wear(self):
        """Returns the total Wear of all power-ons."""
        wear = Wear(*self._before)
        for writer in self._writers:
            wear += writer.wear
        return wear
