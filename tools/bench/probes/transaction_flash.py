# Flash use of a transaction of one hour. MIT license.
"""Prints erases and bytes programmed per transaction with 60 samples: ours, and the write pattern of MicroOcpp.

Ours is everything that a whole station writes: settings, journal, running state, outbox, cache and history.
"""

import asyncio
import json
import os

from flash import format_flash, mounted
from station import Backend, Bench

_BLOCKS = 512  # 2 MiB
_TRANSACTIONS = 3
_SAMPLE_S = 60

# MicroOcpp keeps one JSON file of about 470 bytes per transaction and writes it whole ten times; its meter values stay
# in RAM (docs/performance.md says where that is from).
_FILE_BYTES = 470
_REWRITES = 10


async def ours():
    flash = format_flash(_BLOCKS)
    backend = Backend(flash)
    costs = []
    samples = 0
    with mounted(flash) as path:
        bench = Bench(path, backend, MeterValueSampleInterval=_SAMPLE_S)
        await bench.accepted()
        for _ in range(_TRANSACTIONS):
            flash.clear_counters()
            backend.calls = []
            await bench.begin()
            await bench.run(60 * _SAMPLE_S * 1000)
            await bench.end()
            costs.append((flash.erases, flash.programmed))
            samples = len(backend.payloads("MeterValues"))
            if samples < 60 or len(backend.payloads("StopTransaction")) != 1:
                raise RuntimeError("transaction incomplete: %s" % backend.actions())
        bench.stop()
    return mean(costs), samples


def micro_ocpp():
    flash = format_flash(_BLOCKS)
    costs = []
    with mounted(flash) as path:
        for number in range(_TRANSACTIONS):
            flash.clear_counters()
            name = "%s/tx-1-%d.json" % (path, number)
            for _ in range(_REWRITES):
                with open(name, "wb") as f:
                    f.write(b"x" * _FILE_BYTES)
            os.remove(name)
            costs.append((flash.erases, flash.programmed))
    return mean(costs)


def mean(costs):
    return [sum([cost[i] for cost in costs]) / len(costs) for i in (0, 1)]


async def main():
    theirs = micro_ocpp()
    own, samples = await ours()
    print(json.dumps({"ours": own, "samples": samples, "micro_ocpp": theirs, "transactions": _TRANSACTIONS}))


asyncio.run(main())
