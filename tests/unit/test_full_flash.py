# interpreters: micropython
"""A station whose flash is full (OSError 28): what runs ends properly, nothing new begins, and it says why."""

import os

from charging_bench import Bench
from flash import files, format_flash, mounted, sweep
from harness import FakeClock

import firmware.store.journal as journal_module
from firmware.kernel.log import ERROR, Log
from firmware.kernel.reading import Reading
from firmware.store.records import BEGIN, END, EVENT
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
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
        clock = FakeClock()
        cache = AuthCache(path + "/cache", clock)
        bench = Bench(folder=path, clock=clock, cache=cache, MeterValueSampleInterval=10, JournalBatch=2)
        await bench.charging()
        room = []
        bench.journal.room_changed.connect(room.append)
        fill_up(path)
        await bench.run(300_000)
        await bench.flow(20)
        await bench.run(2_000)
        await leave(bench)
        assert [(reason, wh) for _, reason, wh in bench.ends()] == [("unplugged", 1_020)]

        fill_up(path)  # what room that made
        for tries in (1, 2):
            assert await attempt(bench) is None and bench.word != "charging"
            assert len(errors(bench, "none begins")) == tries
            await leave(bench)
        assert len(bench.records(BEGIN)) == len(bench.records(END)) == 1
        events = [record.context for record in bench.records(EVENT)]
        assert events.count("MemoryExhaustion") == 1
        assert room[-1] is bench.journal.has_room is False

        make_room(path)
        assert await attempt(bench) is not None
        assert room[-1] is bench.journal.has_room is True
        await leave(bench)
        assert len(bench.ends()) == 2


async def test_delivery_makes_room_even_where_all_of_it_is_in_one_segment():
    with mounted(format_flash(48)) as path:
        bench = Bench(folder=path, MeterValueSampleInterval=10, JournalBatch=2)
        await bench.charging()
        fill_up(path)
        await bench.run(300_000)
        await leave(bench)
        fill_up(path)  # what room that made
        assert await attempt(bench) is None and not bench.journal.has_room
        await leave(bench)
        assert bench.records()
        bench.journal.release(bench.journal.next_seq)
        assert bench.records() == []
        make_room(path)
        assert await attempt(bench) is not None


async def test_a_station_with_a_full_flash_starts_and_ends_what_the_power_cut_left():
    with mounted(format_flash(48)) as path:
        bench = Bench(folder=path, MeterValueSampleInterval=10, JournalBatch=2)
        transaction = await bench.charging()
        fill_up(path)
        await bench.run(60_000)
        bench = bench.power_cut()
        await bench.run(5_000)
        assert [(tx, reason) for tx, reason, _ in bench.ends()] == [(transaction.number, "power lost")]


def power_on(path):
    clock = FakeClock()
    log = Log(clock)
    journal = journal_module.Journal(path + "/journal", clock, log, Settings(path + "/settings", SETTINGS))
    return journal, log


class small:
    """`with small():` makes segments and reserve small, so that little fills them."""

    def __enter__(self):
        self._before = journal_module._SEGMENT_BYTES, journal_module._RESERVE_BLOCKS
        journal_module._SEGMENT_BYTES, journal_module._RESERVE_BLOCKS = 2048, 3

    def __exit__(self, *exc_info):
        journal_module._SEGMENT_BYTES, journal_module._RESERVE_BLOCKS = self._before


def test_a_full_flash_leaves_half_of_each_series_of_samples():
    """Errata 3.14: in and outside a transaction, of every connector and kind, evenly from all of its time."""
    with small(), mounted(format_flash(48)) as path:
        journal, log = power_on(path)
        tx = journal.next_tx()
        journal.begin(tx, 1, "TAG", 0)
        made = 0
        while not any("thinned" in line[3] for line in log.lines()):
            made += 1
            if made == 100:
                fill_up(path)
            for series in ((tx, 1, "periodic"), (tx, 1, "clock"), (0, 0, "clock"), (0, 1, "clock")):
                try:
                    journal.sample(*series, Reading(energy_wh=made))
                except OSError as exc:
                    assert exc.args[0] == 28
        kept = {}
        for record in journal.read():
            if record.reading:
                kept.setdefault((record.tx, record.connector, record.context), []).append(record.reading.energy_wh)
        assert len(kept) == 4
        for registers in kept.values():
            gaps = [registers[i + 1] - registers[i] for i in range(len(registers) - 1)]
            assert registers[0] == 2 and max(gaps) == 2 and registers[-1] >= made - 2


def test_compaction_on_a_full_flash_survives_every_power_cut():
    compactions = []

    def prepare(path):
        journal, _ = power_on(path)
        journal.event("StartupOfTheDevice")
        journal.begin(journal.next_tx(), 1, "TAG", 1000)
        for i in range(90):
            journal.sample(2, 1, "periodic", Reading(energy_wh=1000 + i, power_w=11_040), 16_000)
        journal.flush()
        fill_up(path)

    def act(path, promise):
        journal, log = power_on(path)
        journal.event("Full")
        promise("Full")
        for i in range(90, 130):
            try:
                journal.sample(2, 1, "periodic", Reading(energy_wh=1000 + i, power_w=11_040), 16_000)
            except OSError as exc:
                if exc.args[0] != 28:
                    raise
        journal.end(2, 1, "TAG", 2000, "local")
        promise(END)
        compactions.append(len([line for line in log.lines() if "thinned" in line[3]]))

    def check(path, promises):
        journal, _ = power_on(path)
        found = list(journal.read())
        kinds = [record.kind for record in found]
        numbers = [record.seq for record in found]
        assert numbers == sorted(set(numbers)) and kinds.count(BEGIN) == 1
        registers = [record.reading.energy_wh for record in found if record.reading]
        assert registers == sorted(set(registers)) and len(registers) > 10
        events = [record.context for record in found if record.kind == EVENT]
        assert events.count("StartupOfTheDevice") == 1 and events.count("Full") in ([1] if promises else [0, 1])
        if END in promises:
            assert kinds.count(END) == 1
        elif journal.open_transactions():
            journal.end(2, 1, None, 2000, "power lost")  # there is always room for it
        assert [record.kind for record in journal.read()].count(END) == 1
        assert not [name for name in files(path + "/journal") if name.endswith(".new")]

    with small():
        assert sweep(prepare, act, check, blocks=40) > 80
    # Both sweeps, clean and torn, went on until the power held through a compaction: each of its writes was cut.
    assert len(compactions) == 2 and min(compactions) >= 1
