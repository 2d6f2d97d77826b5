# interpreters: micropython
"""A station whose flash is full (OSError 28): what runs ends properly, nothing new begins, and it says why."""

import os

from charging_bench import Bench
from flash import files, format_flash, mounted

from firmware.kernel.log import ERROR
from firmware.store.records import BEGIN, END, EVENT
from firmware.store.tags import AuthCache


def fill_up(path):
    """Somebody else takes the rest of the flash, down to the last block."""
    for number in range(100):
        try:
            with open("%s/filler%d" % (path, number), "wb") as f:
                for _ in range(64 if number < 2 else 1):
                    f.write(bytes(1024))
        except OSError:
            pass


def make_room(path):
    for name in files(path):
        if name.startswith("filler"):
            os.remove(path + "/" + name)


def errors(bench, word):
    return [line for line in bench.log.lines(ERROR) if word in line[3]]


async def attempt(bench):
    """A vehicle comes, a card is shown; returns the transaction."""
    bench.plug()
    await bench.station.swipe("CARD")
    await bench.run(3_000)
    return bench.transaction


async def leave(bench):
    bench.unplug()
    await bench.run(10_000)


async def test_a_full_flash_ends_what_runs_and_begins_nothing():
    with mounted(format_flash(48)) as path:
        bench = Bench(folder=path, MeterValueSampleInterval=10, JournalBatch=2)
        bench.cache = bench.station._authoriser._cache = AuthCache(path + "/cache", bench.clock)
        await bench.charging()
        fill_up(path)
        await bench.run(300_000)
        bench.meter.wh = 2_000
        await bench.run(2_000)
        await leave(bench)
        assert [(reason, wh) for _, reason, wh in bench.ends()] == [("EVDisconnected", 2_000)]

        fill_up(path)  # what room that made
        for tries in (1, 2):
            assert await attempt(bench) is None and bench.word != "Charging"
            assert len(errors(bench, "none begins")) == tries
            await leave(bench)
        assert len(bench.records(BEGIN)) == len(bench.records(END)) == 1
        events = [record.context for record in bench.records(EVENT)]
        assert events.count("MemoryExhaustion") == 1

        make_room(path)
        assert await attempt(bench) is not None
        await leave(bench)
        assert len(bench.ends()) == 2


async def test_a_station_with_a_full_flash_starts_and_ends_what_the_power_cut_left():
    with mounted(format_flash(48)) as path:
        bench = Bench(folder=path, MeterValueSampleInterval=10, JournalBatch=2)
        transaction = await bench.charging()
        fill_up(path)
        await bench.run(60_000)
        bench = bench.power_cut()
        await bench.run(5_000)
        assert [(tx, reason) for tx, reason, _ in bench.ends()] == [(transaction.number, "PowerLoss")]
