# Ten thousand transaction messages without a link. MIT license.
"""Queues them on a 2 MiB flash and delivers them after a restart; prints order, completeness, rate and room taken."""

import asyncio
import gc
import json
import os
import time

from flash import format_flash, mounted
from harness import FakeClock
from ocpp_bench import Peer

from firmware.kernel.log import Log
from firmware.kernel.reading import Reading
from firmware.ocpp.cursor import sequence_floor
from firmware.ocpp.outbox import Outbox
from firmware.ocpp.v16.facts import Facts
from firmware.store.journal import Journal
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.statefile import StateFile

_BLOCKS = 512
_MESSAGES = 10_000
_SAMPLES = 48  # of a transaction: four hours with one in five minutes
_PER_TRANSACTION = _SAMPLES + 2


_EXPECTED = ["StartTransaction"] + ["MeterValues"] * _SAMPLES + ["StopTransaction"]


class Ledger(Peer):
    """Checks while it receives: whole transactions one after the other, with numbers and energy that rise."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.in_order = True
        self._wh = 0

    async def call(self, action, payload, transmissions=None, patience_s=None):
        answer = await super().call(action, payload)
        self.calls = []
        number = 1001 + self.count // _PER_TRANSACTION
        wh = payload.get("meterStart", payload.get("meterStop", self._wh))
        right = action == _EXPECTED[self.count % _PER_TRANSACTION] and wh >= self._wh
        self.in_order = self.in_order and right and payload.get("transactionId", number) == number
        self._wh = wh
        self.count += 1
        return answer


def opened(path, clock):
    settings = Settings(path + "/settings", SETTINGS)
    state = StateFile(path + "/outbox")
    return settings, state, Journal(path + "/journal", clock, Log(clock), settings, sequence_floor(state))


def queue(path, clock):
    _, _, journal = opened(path, clock)
    wh = 1_000_000
    for _ in range(_MESSAGES // _PER_TRANSACTION):
        tx = journal.next_tx()
        journal.begin(tx, 1, "04A1B2C3D4E5F6", wh)
        for _ in range(_SAMPLES):
            clock.advance(300_000)
            wh += 917
            reading = Reading(wh, 11_040, (16_000, 16_000, 15_900), (230_100, 229_800, 231_000), None, 50_010)
            journal.sample(tx, 1, "periodic", reading, 16_000)
        journal.end(tx, 1, None, wh, "local")
    journal.flush()


async def deliver(path, clock, ledger):
    settings, state, journal = opened(path, clock)
    log = Log(clock)
    outbox = Outbox(journal, state, Facts(journal, settings), ledger.call, clock, log)
    task = asyncio.create_task(outbox.run(lambda: None))
    outbox.resume()
    while outbox.length and not task.done():
        await asyncio.sleep_ms(20)
    task.cancel()


def used_bytes(path):
    size, _, blocks, free = os.statvfs(path)[:4]
    return size * (blocks - free)


async def main():
    flash = format_flash(_BLOCKS)
    clock = FakeClock()
    ledger = Ledger()
    with mounted(flash) as path:
        begun = time.ticks_ms()
        queue(path, clock)
        queued_ms = time.ticks_diff(time.ticks_ms(), begun)
        used = used_bytes(path)
        gc.collect()
        begun = time.ticks_ms()
        await deliver(path, clock, ledger)
        delivered_ms = time.ticks_diff(time.ticks_ms(), begun)
    print(
        json.dumps(
            {
                "messages": ledger.count,
                "in_order": ledger.in_order,
                "queued_ms": queued_ms,
                "delivered_ms": delivered_ms,
                "used": used,
            }
        )
    )


asyncio.run(main())
