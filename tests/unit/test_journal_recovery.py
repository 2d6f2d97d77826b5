"""The journal after a restart: times that were not known, heads and records that are damaged or of later versions."""

import os

from flashlog import FlashLog
from harness import FakeClock
from test_journal import READING, Station, _Once, facts

import firmware.store.journal as journal_module
from firmware.kernel.log import ERROR, Log
from firmware.store.journal import Journal
from firmware.store.packing import pack, unpack
from firmware.store.records import BEGIN, BOOT, CLOCK, END, SAMPLE, begin_payload


def unsynchronised():
    return FakeClock(synchronised=False)


def kinds(journal):
    return [record.kind for record in journal.read()]


def files_of(station):
    return sorted([name for name in os.listdir(station.folder + "/journal") if name.endswith(".log")])


class small_segments:
    """`with small_segments():` a segment takes some ten samples."""

    def __enter__(self):
        self._before = journal_module._SEGMENT_BYTES
        journal_module._SEGMENT_BYTES = 1024

    def __exit__(self, *exc_info):
        journal_module._SEGMENT_BYTES = self._before


# -- what is told, and once


def test_each_fact_is_told_with_its_number():
    station = Station()
    journal = station.journal
    heard = []
    journal.appended.connect(heard.append)
    tx = journal.next_tx()
    assert journal.next_tx() == tx + 1
    told = [
        journal.begin(tx, 1, "A", 0),
        journal.sample(tx, 1, "begin", READING),
        journal.end(tx, 1, "A", 5, "Local"),
    ]
    assert heard == told == [record.seq for record in facts(journal)] and tx == told[0]


def test_a_begin_or_end_that_is_repeated_is_the_one_that_was_written():
    station = Station()
    journal = station.journal
    tx = journal.next_tx()
    assert not journal.has_begun(tx)
    seq = journal.begin(tx, 1, "A", 0)
    assert journal.begin(tx, 1, "A", 0) == seq and journal.has_begun(tx)
    assert [begin.tx for begin in journal.open_transactions()] == [tx]
    seq = journal.end(tx, 1, "A", 5, "Local")
    assert journal.end(tx, 1, "A", 5, "Local") == seq and journal.open_transactions() == []
    assert [record.kind for record in facts(journal)] == [BEGIN, END]
    assert journal.time_in(tx) is None  # it runs no more


def test_a_repeated_end_is_durable_although_the_first_one_broke_off_before_the_flash():
    station = Station()
    tx = station.session(samples=0, end=False)
    log = station.journal._log
    log.flush = _Once(log.flush, after=False)
    try:
        station.journal.end(tx, 1, None, 2000, "Local")
    except MemoryError:
        pass
    seq = station.journal.end(tx, 1, None, 2000, "Local")
    assert station.journal.is_durable(seq) and [r.kind for r in facts(station.start())] == [BEGIN, END]


def test_a_power_on_is_recorded_and_costs_no_write():
    station = Station()
    assert kinds(station.journal) == [BOOT] and not station.journal.is_durable(1) and files_of(station) == []
    assert os.stat(station.folder + "/journal/reserve")[6] == 40_960  # a segment's copy, and some records
    station.session(samples=0)
    station.start()
    station.session(samples=0)
    assert kinds(station.journal) == [BOOT, BEGIN, END, BOOT, BEGIN, END]


# -- times


def test_the_first_time_that_is_learned_is_written_at_once_where_records_need_it():
    station = Station(unsynchronised())
    station.clock.set_unix(1_800_000_000, "ocpp")
    assert kinds(station.journal) == [BOOT, CLOCK]
    assert not station.journal.is_durable(station.journal.next_seq - 1)  # nothing needs it
    station = Station(unsynchronised())
    station.session(samples=0)
    station.clock.set_unix(1_800_000_000, "ocpp")
    assert station.journal.is_durable(station.journal.next_seq - 1)
    station.clock.set_unix(1_800_000_500, "ntp")
    assert kinds(station.journal).count(CLOCK) == 1  # the others move no record
    station.journal.event("X")
    assert list(station.journal.read())[-1].t == 1_800_000_500 == station.clock.now()


def test_a_sample_may_be_due_some_time_ago():
    for clock, now in ((FakeClock(unix=1_800_000_000), 1_800_000_000), (unsynchronised(), 0)):
        station = Station(clock)
        station.clock.advance(100_000)
        station.journal.sample(0, 1, "clock", READING, ago_s=40)
        assert [record.t for record in facts(station.journal)] == [now + 60]


def test_time_in_a_transaction_whose_begin_was_not_known():
    station = Station(unsynchronised())
    station.clock.advance(5_000)
    tx = station.session(samples=0, end=False)
    station.clock.advance(60_000)
    assert station.journal.time_in(tx) == 65
    station.clock.set_unix(1_800_000_065, "ocpp")
    assert station.journal.time_in(tx) == 1_800_000_065
    station = Station()
    began = station.clock.now()
    tx = station.session(samples=1, end=False)
    assert station.journal.time_in(tx) == began + 60


def test_a_transaction_that_a_power_cut_left_ends_when_it_is_last_known_to_have_run():
    for clock, learned in ((FakeClock(), False), (unsynchronised(), False), (unsynchronised(), True)):
        for saved_tx, saved_s, newest_s, expected_s in (
            (0, 600, 200, 600),  # the running state knows more than the journal
            (0, 600, 700, 700),
            (1, 600, 200, 200),  # that of another transaction
            (None, 0, 300, 300),
            (None, 0, 0, 0),
        ):
            station = Station(FakeClock() if clock.synchronised else unsynchronised())
            station.clock.advance(5_000)
            tx = station.session(samples=0, end=False)
            station.clock.advance(1000 * saved_s)
            if saved_tx is not None:
                station.journal.running.save(1, tx + saved_tx, 1500, station.clock.now())
            if learned:
                station.clock.set_unix(1_800_000_000, "ocpp")
            later = FakeClock(unix=station.clock.now() + 9000)
            journal = station.start(later if clock.synchronised else unsynchronised())
            (begin,) = journal.open_transactions()
            journal.resume(begin, begin.t + newest_s)
            station.clock.advance(50_000)
            assert journal.time_in(tx) == begin.t + expected_s
            journal.end(tx, 1, None, 2000, "PowerLoss")
            assert [r.t for r in journal.transaction(tx)] == [begin.t, begin.t + expected_s]


def test_the_state_of_a_running_transaction_is_kept_with_the_time_since_its_begin():
    station = Station(unsynchronised())
    station.clock.advance(5_000)
    tx = station.session(samples=0, end=False)
    station.clock.advance(60_000)
    station.clock.set_unix(1_800_000_000, "ocpp")
    station.journal.save_running(tx, 1, 1234)
    assert station.start().running.load() == {1: (tx, 1234, 65)}


def test_times_of_many_power_ons_are_told_apart_in_bounded_memory():
    station = Station(unsynchronised())
    expected = {}
    for n in range(12):
        if n:
            station.start(unsynchronised())
        tx = station.session(samples=0)
        unix = 1_800_000_000 + 100_000 * n
        station.clock.set_unix(unix, "ocpp")
        expected[tx] = unix
    for _ in range(2):
        for record in station.journal.read():
            assert record.t == expected.get(record.tx, record.t) and len(station.journal._deltas) <= 8


# -- damage, and other versions


def damage(station, number, at):
    path = station.folder + "/journal/" + files_of(station)[number]
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(b"????")


def test_an_open_transaction_is_found_although_the_head_of_the_segment_is_damaged():
    with small_segments():
        station = Station()
        other = station.session(samples=0, connector=2)
        tx = station.session(samples=60, end=False)
        assert len(files_of(station)) > 3
        damage(station, -1, 9)
        journal = station.start()
        assert [begin.tx for begin in journal.open_transactions()] == [tx]
        assert other in journal.last_ends


def test_nothing_is_dropped_on_the_word_of_a_damaged_head():
    with small_segments():
        station = Station()
        station.session(samples=60)
        before = files_of(station)
        damage(station, -1, 9)
        station.journal.release(station.journal.next_seq)
        assert files_of(station) == before


def test_a_transaction_whose_begin_is_lost_is_not_to_be_ended():
    with small_segments():
        station = Station()
        station.session(samples=60, end=False)
        os.remove(station.folder + "/journal/" + files_of(station)[0])
        assert station.start().open_transactions() == []


def test_damage_is_told_and_nothing_else_is():
    with small_segments():
        station = Station()
        station.session(samples=20)

        def errors():
            log = Log(station.clock)
            Journal(station.folder + "/journal", station.clock, log, station.settings)
            return [line[3] for line in log.lines(ERROR)]

        assert errors() == []
        damage(station, -1, 40)
        assert len(errors()) == 1 and "damaged segments" in errors()[0]


def test_the_ends_that_are_remembered_are_those_of_the_newest_segment_at_most_16():
    station = Station()
    numbers = [station.session(samples=0) for _ in range(20)]
    assert station.start().last_ends == numbers[-16:]
    with small_segments():
        station = Station()
        numbers = [station.session(samples=4) for _ in range(8)]
        ends = station.start().last_ends
        assert 0 < len(ends) < 8 and ends == numbers[-len(ends) :]


def test_the_head_of_a_segment_names_the_open_transactions():
    station = Station()
    tx = station.session(samples=0, end=False)
    station.journal._log.rotate()
    base, payload = station.journal._log.header(station.journal.next_seq)
    assert base == station.journal.next_seq and unpack(payload) == [1, [tx]]


def test_heads_of_later_versions_are_read_or_left_alone():
    for head, known in (
        (pack((1, [1, 77], "later")), {1, 77}),
        (pack((2, [77])), {1}),  # from the record
        (pack((1,)), {1}),
        (b"?", {1}),
    ):
        station = Station()
        path = station.folder + "/other"
        log = FlashLog(path, 32768, 1, lambda head=head: head)
        log.append(BEGIN, begin_payload(1_800_000_000, 1, 1, "A", 0, None, None))
        log.rotate()
        journal = Journal(path, station.clock, Log(station.clock), station.settings)
        assert journal._open == known, head


def test_the_newest_records_of_a_transaction_are_those_of_two_segments():
    with small_segments():
        station = Station()
        assert list(station.journal.newest_of(1)) == []
        tx = station.session(samples=2, end=False)
        assert [r.kind for r in station.journal.newest_of(tx)] == [BEGIN, SAMPLE, SAMPLE]
        for _ in range(60):
            station.journal.sample(tx, 1, "periodic", READING)
            station.journal.sample(0, 0, "clock", READING)
        station.journal.event("X")
        found = list(station.journal.newest_of(tx))
        first = station.journal._log.segments()[-2]
        assert [r.seq for r in found] == [r.seq for r in station.journal.transaction(tx) if r.seq >= first]
        assert 5 < len(found) < 60 and {r.tx for r in found} == {tx}


def test_a_segment_takes_32_kilobytes():
    station = Station()
    station.session(samples=2000)
    sizes = [os.stat(station.folder + "/journal/" + name)[6] for name in files_of(station)[:-1]]
    assert sizes and 30_000 < min(sizes) and max(sizes) <= 32_768
    assert station.journal._max_bytes == 1_048_576  # 32 of them: 10 000 messages of an offline station


def test_reading_a_transaction_stops_at_its_end():
    station = Station()
    tx = station.session(samples=2)
    station.session(samples=30)
    read = station.journal._log.read
    seen = []
    station.journal._log.read = lambda seq: (seen.append(item) or item for item in read(seq))
    assert len(list(station.journal.transaction(tx))) == 4 == len(seen)
