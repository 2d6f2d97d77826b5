# Power cuts during a whole transaction. MIT license.
"""Cuts the power at every program and erase of a transaction, cleanly and torn, and prints what became of it.

The station is powered on, registered, charges, is stopped and delivers everything; the power is lost somewhere in
between. After a restart it delivers the rest, and the central system's record is checked:

lost        a transaction that had begun for the user and was not reported, or never ended
duplicated  reported twice with different content, or more messages repeated than the one whose answer was lost
corrupt     other errors: an end below its begin, a damaged file, a station that does not start
"""

import asyncio
import json

from flash import RamFlash, format_flash, mounted
from station import Backend, Bench

_BLOCKS = 64
_SLICE_MS = 500
_SETTLE_MS = 8_000
_SETTINGS = {"MeterValueSampleInterval": 5, "JournalBatch": 2}
_REPORTED = ("StartTransaction", "MeterValues", "StopTransaction")


class Found:
    lost = duplicated = corrupt = repeated = cuts = 0


async def run(bench, flash, ms):
    """Runs for a time, as long as there is power."""
    while ms > 0 and not flash.off:
        await bench.run(_SLICE_MS)
        ms -= _SLICE_MS


async def transaction(path, flash, backend, promises):
    """Runs a whole transaction, until the power is lost; returns the Bench."""
    bench = Bench(path, backend, **_SETTINGS)

    def changed(event, transaction):
        # Energy is allowed and shown to the user, unless the power is lost.
        if not flash.off:
            promises.append(event)

    bench.station.transaction_changed.connect(changed)
    bench.connection.set(True)
    await run(bench, flash, 1_000)
    if not flash.off:
        await bench.begin()
        await run(bench, flash, 90_000)
    if not flash.off:
        await bench.end()
    bench.stop()
    return bench


async def cut(image, after, torn, found):
    """One power loss; returns False when the transaction had ended before."""
    flash = RamFlash(_BLOCKS, image)
    flash.cut_after(after, torn)
    backend = Backend(flash)
    promises = []
    before = None
    with mounted(flash) as path:
        before = await transaction(path, flash, backend, promises)
    known = len(backend.calls)
    # Continue with a copy: files of the dead station must not be written when they are collected.
    again = RamFlash(_BLOCKS, flash.data)
    backend.flash = again
    try:
        with mounted(again) as path:
            bench = Bench(path, backend, before and before.clock, before and before.meter, **_SETTINGS)
            bench.connection.set(True)
            await run(bench, again, _SETTLE_MS)
            bench.stop()
            judge(bench, backend, promises, known, found)
    except (OSError, ValueError) as exc:
        print("after %d: %r" % (after, exc))
        found.corrupt += 1
    found.cuts += flash.off
    return flash.off


def judge(bench, backend, promises, known, found):
    starts = distinct(backend.payloads("StartTransaction"))
    stops = distinct(backend.payloads("StopTransaction"))
    values = distinct(backend.payloads("MeterValues"))
    if len(starts) < ("start" in promises) or len(stops) < len(starts) or bench.link.queue_length:
        found.lost += 1
    repeated = len([call for call in backend.calls if call[0] in _REPORTED]) - len(starts) - len(stops) - len(values)
    moments = {json.dumps([v["meterValue"][0]["timestamp"], len(v["meterValue"])]) for v in values}
    if len(starts) > 1 or len(stops) > 1 or repeated > 1 or len(moments) < len(values):
        found.duplicated += 1
    found.repeated += repeated
    right = not bench.settings.recovered and bench.settings.get("JournalBatch") == _SETTINGS["JournalBatch"]
    if stops:
        right = right and stops[0]["meterStop"] >= starts[0]["meterStart"]
        right = right and len(list(bench.history.rows())) == 1
    if not right:
        found.corrupt += 1


def distinct(payloads):
    """Returns the payloads without repetitions."""
    kept = []
    for payload in payloads:
        if payload not in kept:
            kept.append(payload)
    return kept


async def prepared():
    """Returns the image of a configured station that its back-end has accepted."""
    flash = format_flash(_BLOCKS)
    with mounted(flash) as path:
        bench = Bench(path, Backend(flash), **_SETTINGS)
        await bench.accepted()
        bench.stop()
    return bytes(flash.data)


async def main():
    image = await prepared()
    found = Found()
    for torn in (False, True):
        after = 0
        while await cut(image, after, torn, found):
            after += 1
    print(
        json.dumps(
            {
                "cuts": found.cuts,
                "lost": found.lost,
                "duplicated": found.duplicated,
                "corrupt": found.corrupt,
                "repeated": found.repeated,
            }
        )
    )


asyncio.run(main())
