"""Figures of the station itself: flash, heap, scheduler, tasks. Loaded when somebody looks, see health."""

import gc
import os

from micropython import const

# What a block of NOR flash bears; LittleFS spreads the erases over all of them.
_BLOCK_ERASES = const(100_000)


def figures(storage, clock, supervisor, wear, cause):
    """Returns {name: value}; raises OSError when the flash cannot be looked at.

    flash_used, flash_free in bytes (LittleFS looks through all its blocks for them: not more than now and then);
    erases and bytes programmed of all power-ons, by estimate (`wear`: store.wear.Wear), and the share of the flash's
    life that they have taken, in millionths; gap_ms: lateness of the control task, 99.9 % and worst;
    restarts {task: count} of those that had any; heap_used, heap_free in bytes; uptime in s; started: why.
    """
    _, block, total, free = os.statvfs(storage)[:4]
    gaps = supervisor.gaps
    return {
        "flash_used": (total - free) * block,
        "flash_free": free * block,
        "erases": wear.erases,
        "programmed": wear.programmed,
        "worn_ppm": wear.erases * 1_000_000 // (total * _BLOCK_ERASES),
        "gap_ms": (gaps.p999_ms, gaps.max_ms),
        "restarts": {name: restarts for name, _, restarts in supervisor.tasks() if restarts},
        "heap_used": gc.mem_alloc(),
        "heap_free": gc.mem_free(),
        "uptime": clock.ms() // 1000,
        "started": cause,
    }


def tell(log, *station):
    """Logs the figures(*station)."""
    try:
        found = figures(*station)
    except OSError as exc:
        log.error("health", "%s", exc)
        return
    for group in (
        ("flash_used", "flash_free", "erases", "programmed", "worn_ppm"),
        ("heap_used", "heap_free", "gap_ms"),
    ):
        log.info("health", "%s", ", ".join(["%s %s" % (name, found[name]) for name in group]))
    log.info("health", "up %d s, started by %s", found["uptime"], found["started"] or "power-on")
    if found["restarts"]:
        log.warning("health", "tasks restarted: %s", found["restarts"])
