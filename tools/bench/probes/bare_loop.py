# What the host itself does to a loop of 20 ms. MIT license.
"""Runs nothing but a loop with the period of the control task until the stdin closes; prints its lateness in ms."""

import asyncio
import json
import select
import sys
import time

from firmware.kernel.tasks import LoopGaps

_PERIOD_MS = 20


async def main():
    gaps = LoopGaps()
    stdin = select.poll()
    stdin.register(sys.stdin, select.POLLIN)
    last = due = time.ticks_ms()
    while not stdin.poll(0):
        due = time.ticks_add(due, _PERIOD_MS)
        await asyncio.sleep_ms(max(0, time.ticks_diff(due, time.ticks_ms())))
        now = time.ticks_ms()
        gaps.record(time.ticks_diff(now, last) - _PERIOD_MS)
        last = now
    print(
        json.dumps({"count": gaps.count, "p50": gaps.quantile_ms(500), "p999": gaps.p999_ms, "max": gaps.max_ms})
    )  # fmt: skip


asyncio.run(main())
