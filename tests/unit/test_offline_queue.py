# interpreters: micropython
"""Weeks without a link: 10 000 transaction messages on the 2 MiB file system, the start with them, their delivery."""

import asyncio
import os
import time

from flash import format_flash, mounted
from harness import run, settle
from test_outbox_power import Power

from firmware.kernel.reading import Reading

_SESSIONS = 162
_SAMPLES = 60  # and a begin and an end: 10 044 messages
_READING = Reading(3_600_000, 11_040, (16_000, 16_000, 15_900), (230_100, 229_800, 231_000), None, 50_010)


def fill(journal, clock):
    for number in range(_SESSIONS):
        tx = journal.next_tx()
        journal.begin(tx, 1, "04A1B2C3D4E5F6", number * 1000)
        for minute in range(_SAMPLES):
            clock.advance(60_000)
            _READING.energy_wh = number * 1000 + minute
            journal.sample(tx, 1, "periodic", _READING, 16_000)
        journal.end(tx, 1, "04A1B2C3D4E5F6", number * 1000 + 500, "local")


class InOrder:
    """A central system that expects exactly the messages of fill(), and keeps none of them."""

    def __init__(self):
        self.count = 0
        self._newest = ""

    async def call(self, action, payload, transmissions=None):
        await asyncio.sleep(0)
        session, place = divmod(self.count, _SAMPLES + 2)
        self.count += 1
        if place == 0:
            assert (action, payload["meterStart"]) == ("StartTransaction", session * 1000)
            self._follows(payload["timestamp"])
            return {"transactionId": session, "idTagInfo": {"status": "Accepted"}}
        assert payload["transactionId"] == session
        if place <= _SAMPLES:
            self._follows(payload["meterValue"][0]["timestamp"])
        else:
            assert payload["meterStop"] == session * 1000 + 500
            self._follows(payload["timestamp"])
        assert action == ("MeterValues" if place <= _SAMPLES else "StopTransaction")
        return {}

    def _follows(self, timestamp):
        assert timestamp >= self._newest
        self._newest = timestamp


async def deliver(power):
    task = power.start()
    while power.outbox.length:
        await settle()
    await settle()
    task.cancel()


def test_ten_thousand_messages_are_kept_and_delivered_in_order():
    flash = format_flash(512)
    central = InOrder()
    with mounted(flash) as path:
        power = Power(path, central, 1_800_000_000)
        fill(power.journal, power.clock)
        used = 512 - os.statvfs(path)[3]
        flash.clear_counters()
        began_us = time.ticks_us()
        power = Power(path, central, 1_810_000_000)
        took_us = time.ticks_diff(time.ticks_us(), began_us)
        # About what the newest segment costs; the budget for the whole start is 0.3 s.
        assert flash.reads < 6_000 and took_us < 150_000
        print("10 044 messages take %d of 512 blocks; opened in %d ms, %d reads" % (used, took_us // 1000, flash.reads))
        assert used < 300
        flash.clear_counters()
        began_ms = time.ticks_ms()
        run(deliver(power))
        took_ms = time.ticks_diff(time.ticks_ms(), began_ms)
        rate = central.count * 1000 // took_ms
        print("delivered at %d/s with %d erases" % (rate, flash.erases))
        assert central.count == _SESSIONS * (_SAMPLES + 2)
        assert 512 - os.statvfs(path)[3] < 50
