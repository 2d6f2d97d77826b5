# The simulated charger, in which exceptions fall on everything but the control task. MIT license.
"""Runs tools/bench/probes/watched_charger.py. Until `_INJECTED` exceptions have been thrown, each supervised task lives
for a moment and dies, unsupervised ones die at once, and observers of the connectors' signals raise."""

import asyncio
import sys

sys.path.insert(0, ".")

from firmware.evse import control  # noqa: E402
from firmware.kernel import tasks  # noqa: E402

_INJECTED = 200
_LIFE_MS = 100
_STRAY_MS = 20

_left = [_INJECTED]


def _inject(*_):
    if _left[0] > 0:
        _left[0] -= 1
        if not _left[0]:
            print("all %d exceptions thrown" % _INJECTED)
        raise ValueError("injected")


async def _stray():
    _inject()


async def _strays():
    while _left[0] > 0:
        await asyncio.sleep_ms(_STRAY_MS)
        asyncio.create_task(_stray())


def _doomed(run):
    async def doomed(beat):
        if _left[0] <= 0:
            return await run(beat)
        work = asyncio.create_task(run(beat))
        try:
            await asyncio.sleep_ms(_LIFE_MS)
        finally:
            work.cancel()
            try:
                await work
            except asyncio.CancelledError:
                pass
        _inject()

    return doomed


class Sabotaged(tasks.Supervisor):
    def add(self, name, run, heartbeat_ms=None, critical=False, period_ms=None):
        super().add(name, run if critical else _doomed(run), heartbeat_ms, critical, period_ms)

    async def run(self):
        asyncio.create_task(_strays())
        await super().run()


class Observed(control.Evse):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        for signal in (self.state_changed, self.pilot_changed, self.contactor_changed, self.lock_changed):
            signal.connect(_inject)


tasks.Supervisor = Sabotaged
control.Evse = Observed
with open("tools/bench/probes/watched_charger.py") as file:
    exec(file.read())
