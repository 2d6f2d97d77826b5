"""Journal: facts in order, transactions found again, times re-based, nothing released too early."""

import os

from flashlog import FlashLog
from folder import fresh_folder
from harness import FakeClock, raises

import firmware.store.journal as journal_module
from firmware.kernel.log import Log
from firmware.kernel.reading import Reading
from firmware.store import records
from firmware.store.journal import Journal
from firmware.store.packing import pack
from firmware.store.records import BEGIN, BOOT, CLOCK, END, EVENT, SAMPLE
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.wear import Wear

READING = Reading(3_600_000, 11_040, (16_000, 16_000, 15_900), (230_100, 229_800, 231_000), None, 50_010)


class Station:
    """A journal that can be restarted on the same files."""

    def __init__(self, clock=None, **options):
        self.options = options
        self.folder = fresh_folder()
        self.settings = Settings(self.folder + "/settings", SETTINGS)
        self.start(clock or FakeClock())

    def start(self, clock=None, floor=0):
        self.clock = clock or FakeClock(unix=self.clock.now())
        self.journal = Journal(
            self.folder + "/journal", self.clock, Log(self.clock), self.settings, floor, **self.options
        )
        self.clock.changed.connect(lambda delta, source: self.journal.clock_changed(delta))
        return self.journal

    def session(self, samples=3, connector=1, end=True):
        tx = self.journal.next_tx()
        self.journal.begin(tx, connector, "04A1B2C3", 1000)
        for _ in range(samples):
            self.clock.advance(60_000)
            self.journal.sample(tx, connector, "periodic", READING, 16_000)
        if end:
            self.journal.end(tx, connector, "04A1B2C3", 2000, "local")
        return tx


def segments_of(station):
    return len([name for name in os.listdir(station.folder + "/journal") if name.endswith(".log")])


def facts(journal, seq=None):
    return [r for r in journal.read(seq) if r.kind not in (BOOT, CLOCK)]


def test_a_session_comes_back_after_a_restart():
    station = Station()
    began = station.clock.now()
    tx = station.journal.next_tx()
    station.journal.begin(tx, 2, "04A1B2C3", 1000, reservation=7, parent="FLEET")
    station.journal.sample(tx, 2, "interruption.begin", READING, 16_000)
    station.clock.advance(5000)
    station.journal.end(tx, 2, None, 2500, "unplugged")
    for journal in (station.journal, station.start()):
        begin, sample, end = facts(journal)
        assert (begin.kind, begin.tx, begin.connector, begin.token, begin.wh) == (BEGIN, tx, 2, "04A1B2C3", 1000)
        assert (begin.reservation, begin.parent, begin.t) == (7, "FLEET", began)
        assert (sample.kind, sample.context, sample.offered_ma) == (SAMPLE, "interruption.begin", 16_000)
        assert sample.reading.to_list() == READING.to_list() and sample.reading.temperature_dc is None
        assert (end.kind, end.token, end.wh, end.reason, end.t) == (END, None, 2500, "unplugged", began + 5)
        assert begin.seq < sample.seq < end.seq


def test_begin_and_end_are_durable_samples_with_their_batch():
    station = Station()
    tx = station.session(samples=2, end=False)
    assert [r.kind for r in facts(station.journal)] == [BEGIN, SAMPLE, SAMPLE]
    assert [r.kind for r in facts(station.start())] == [BEGIN]
    for _ in range(station.settings.get("JournalBatch")):
        station.journal.sample(tx, 1, "periodic", READING)
    assert len(facts(station.start())) == 1 + station.settings.get("JournalBatch") - 1  # BOOT was in the batch
    station.journal.sample(tx, 1, "end", READING)
    station.journal.end(tx, 1, None, 2000, "power lost")
    assert [r.kind for r in facts(station.start())][-2:] == [SAMPLE, END]


def test_a_sample_waits_no_longer_than_the_setting():
    station = Station()
    tx = station.session(samples=1, end=False)
    waits_ms = 1000 * station.settings.get("JournalBatchSeconds")
    station.clock.advance(waits_ms // 2)
    newest = station.journal.sample(tx, 1, "periodic", READING)  # does not make the first one wait longer
    station.clock.advance(waits_ms - waits_ms // 2 - 1)
    station.journal.flush_due()
    assert not station.journal.is_durable(newest - 1)
    station.clock.advance(1)
    station.journal.flush_due()
    assert station.journal.is_durable(newest)
    assert [(r.kind, r.tx) for r in facts(station.start())] == [(BEGIN, tx), (SAMPLE, tx), (SAMPLE, tx)]


def test_a_sample_after_a_batch_that_was_written_waits_anew():
    for write in (lambda journal, tx: journal.flush(), lambda journal, tx: journal.end(tx, 1, None, 5, "Local")):
        station = Station()
        tx = station.session(samples=1, end=False)
        waits_ms = 1000 * station.settings.get("JournalBatchSeconds")
        station.clock.advance(waits_ms - 1)
        write(station.journal, tx)
        seq = station.journal.sample(0, 1, "clock", READING)
        station.clock.advance(waits_ms - 1)
        station.journal.flush_due()
        assert not station.journal.is_durable(seq)
        station.clock.advance(1)
        station.journal.flush_due()
        assert station.journal.is_durable(seq)


def test_transaction_numbers_rise_over_restarts():
    station = Station()
    numbers = [station.journal.next_tx(), station.journal.next_tx(), station.session()]
    station.start()
    numbers += [station.session(), station.journal.next_tx()]
    assert numbers[0] >= 1 and numbers == sorted(set(numbers))
    # A number far ahead of the records (others were given up) is not given again either.
    for _ in range(50):
        far = station.journal.next_tx()
    station.journal.begin(far, 1, "A", 0)
    assert station.start().next_tx() > far


def test_open_transactions_are_known_after_a_restart():
    station = Station()
    station.session()
    one = station.session(connector=1, end=False)
    two = station.session(connector=2, end=False)
    assert [(r.tx, r.connector, r.token, r.wh) for r in station.start().open_transactions()] == [
        (one, 1, "04A1B2C3", 1000),
        (two, 2, "04A1B2C3", 1000),
    ]
    station.journal.end(one, 1, None, 1500, "power lost")
    assert [r.tx for r in station.start().open_transactions()] == [two]


def test_open_transaction_is_found_from_a_later_segment_without_reading_all():
    station = Station()
    tx = station.session(samples=0, end=False)
    for _ in range(1500):
        station.journal.sample(tx, 1, "periodic", READING)
    station.journal.flush()
    assert segments_of(station) > 2
    journal = station.start()
    assert [r.tx for r in journal.open_transactions()] == [tx]
    assert sum(1 for r in journal.transaction(tx)) == 1501


def test_one_transaction_of_two_that_run_at_once():
    station = Station()
    one = station.session(samples=1, connector=1, end=False)
    two = station.session(samples=2, connector=2)
    station.journal.sample(one, 1, "end", READING)
    station.journal.end(one, 1, None, 1500, "local")
    assert [r.kind for r in station.journal.transaction(one)] == [BEGIN, SAMPLE, SAMPLE, END]
    assert [r.kind for r in station.journal.transaction(two)] == [BEGIN, SAMPLE, SAMPLE, END]
    assert {r.tx for r in station.journal.transaction(two)} == {two}


def test_release_keeps_what_the_end_of_a_transaction_will_need():
    station = Station()
    station.session(samples=2000)
    tx = station.session(samples=2000, end=False)
    seq = station.journal.next_seq
    station.journal.release(seq)
    assert sum(1 for r in station.journal.transaction(tx)) == 2001
    assert [r.tx for r in station.start().open_transactions()] == [tx]
    station.journal.end(tx, 1, None, 9, "local")
    for _ in range(40):
        station.session(samples=50)
    segments = segments_of(station)
    station.journal.release(station.journal.next_seq)
    assert segments_of(station) <= 2 < segments


def test_sequence_numbers_of_delivered_but_lost_samples_do_not_come_again():
    station = Station()
    tx = station.session(samples=0, end=False)
    acknowledged = station.journal.sample(tx, 1, "periodic", READING)  # delivered from RAM, then the power went
    journal = station.start(floor=acknowledged + 1)
    assert journal.sample(tx, 1, "periodic", READING) > acknowledged
    assert [r.kind for r in facts(journal, acknowledged + 1)] == [SAMPLE]


def test_times_before_synchronisation_are_rebased():
    station = Station(FakeClock(synchronised=False))
    tx = station.session(samples=1)
    assert [r.t for r in station.journal.transaction(tx)] == [0, 60, 60]
    station.clock.advance(40_000)
    station.clock.set_unix(1_800_000_100, "ocpp")
    expected = [1_800_000_000, 1_800_000_060, 1_800_000_060]
    assert [r.t for r in station.journal.transaction(tx)] == expected
    assert [r.t for r in station.start().transaction(tx)] == expected


def test_power_ons_without_time_are_told_apart():
    station = Station()
    station.session(samples=0)
    last = station.clock.now()
    # Never learns the time: what it writes comes after what is known.
    station.start(FakeClock(synchronised=False))
    station.clock.advance(7_000)
    lost = station.session(samples=0)
    assert [r.t for r in station.journal.transaction(lost)] == [last + 7, last + 7]
    station.start(FakeClock(synchronised=False))
    later = station.session(samples=0)
    station.clock.set_unix(last + 1000, "ocpp")
    again = station.start()
    assert [r.t for r in again.transaction(lost)] == [last + 7, last + 7]
    assert [r.t for r in again.transaction(later)] == [last + 1000, last + 1000]


def test_events_and_their_signal():
    station = Station()
    heard = []
    station.journal.appended.connect(heard.append)
    seq = station.journal.event("MemoryExhaustion", "flash " * 100)
    assert heard == [seq]
    (event,) = facts(station.start())
    assert (event.kind, event.context, len(event.info)) == (EVENT, "MemoryExhaustion", 255)


def test_running_state_survives():
    station = Station()
    station.journal.running.save(1, 17, 123_456_789, 1_800_000_000)
    station.journal.running.save(2, 18, 5, 1_800_000_001)
    journal = station.start()
    assert journal.running.load() == {1: (17, 123_456_789, 1_800_000_000), 2: (18, 5, 1_800_000_001)}
    journal.running.clear(1)
    assert journal.running.load() == {2: (18, 5, 1_800_000_001)}


def test_a_record_of_a_later_version_is_passed_over():
    station = Station()
    station.session(samples=0)
    log = FlashLog(station.folder + "/journal")
    log.append(99, b"?")
    log.append(BEGIN, pack([1]))
    station.start()
    tx = station.session(samples=0)
    assert [r.kind for r in facts(station.start())] == [BEGIN, END, BEGIN, END]
    with raises(ValueError):
        records.decode(1, 99, pack([0]), None)
    assert [r.kind for r in station.journal.transaction(tx)] == [BEGIN, END]


def test_samples_are_thinned_in_the_middle_when_the_journal_grows_too_large():
    station = Station(max_bytes=100_000)
    tx = station.journal.next_tx()
    station.journal.begin(tx, 1, "A", 0)
    station.journal.sample(tx, 1, "begin", READING)
    for _ in range(6000):
        station.journal.sample(tx, 1, "periodic", READING)
    station.journal.event("StartupOfTheDevice")
    station.journal.sample(tx, 1, "end", READING)
    station.journal.end(tx, 1, "A", 10, "local")
    size = sum(
        [os.stat(station.folder + "/journal/" + n)[6] for n in os.listdir(station.folder + "/journal") if ".log" in n]
    )
    assert size < 100_000 + 2 * 32768
    for journal in (station.journal, station.start()):
        count, gap, first, last = 0, 0, [], []
        for record in journal.transaction(tx):
            gap = max(gap, record.seq - last[-1].seq) if count else 0
            first = (first + [record])[:2]
            last = (last + [record])[-2:]
            count += 1
        assert [r.kind for r in first] == [BEGIN, SAMPLE] and first[1].context == "begin"
        assert last[1].kind == END and last[0].context == "end"
        assert 500 < count < 3000
        assert sum(1 for r in journal.read() if r.kind == EVENT) == 1
        assert gap < 300  # no stretch of the transaction without any sample


def test_who_delivers_from_ram_hears_of_every_writing():
    station = Station()
    tx = station.session(samples=0, end=False)
    told = []
    station.journal.flushing.connect(lambda: told.append(station.journal.next_seq))
    seq = station.journal.sample(tx, 1, "periodic", READING)
    assert told == [] and not station.journal.is_durable(seq) and station.journal.is_durable(tx)
    station.journal.flush()
    assert told == [seq + 1] and station.journal.is_durable(seq)
    station.journal.flush()
    assert len(told) == 1


def test_after_a_power_cut_no_time_runs_behind_samples_that_were_delivered():
    # without a known time: the newest sample was delivered from RAM, the journal has never seen it
    station = Station()
    tx = station.session(samples=0, end=False)
    station.clock.advance(600_000)
    station.journal.running.save(1, tx, 1500, station.clock.now())
    station.clock.advance(100_000)
    sampled_at = station.clock.now()
    station.journal.sample(tx, 1, "periodic", READING)
    station.start(FakeClock(synchronised=False))
    assert sampled_at <= station.clock.now() <= sampled_at + 120
    station.journal.end(tx, 1, None, 2000, "power lost")
    station.start(FakeClock(synchronised=False))  # what has ended needs no margin
    assert station.clock.now() <= sampled_at + 120


class _Once:
    """A function that fails, once, after or before the real one."""

    def __init__(self, real, after=True):
        self._real = real
        self._after = after
        self.failed = False

    def __call__(self, *args):
        if self.failed:
            return self._real(*args)
        self.failed = True
        if self._after:
            self._real(*args)
        raise MemoryError("swept")


class _Swept(FakeClock):
    """A clock whose reading fails when it is armed: before a record is written."""

    armed = False

    def ms(self):
        if self.armed:
            raise MemoryError("swept")
        return super().ms()


class _SweptWear(Wear):
    """Counts wear, and fails when it is armed: after a record was written."""

    armed = False

    def wrote(self, *args):
        super().wrote(*args)
        if self.armed:
            raise MemoryError("swept")


def _interrupted(sweeper, function, *args):
    """Calls a function that is interrupted, and again."""
    sweeper.armed = True
    with raises(MemoryError):
        function(*args)
    sweeper.armed = False
    function(*args)


def test_a_begin_or_end_that_was_interrupted_is_written_once():
    journal_module.Wear = _SweptWear
    try:
        for after in (False, True):
            station = Station(_Swept())
            journal = station.journal
            sweeper = journal.wear if after else station.clock
            tx = journal.next_tx()
            _interrupted(sweeper, journal.begin, tx, 1, "04A1B2C3", 1000)
            _interrupted(sweeper, journal.end, tx, 1, None, 2000, "local")
            assert [r.kind for r in station.start().read() if r.kind != BOOT] == [BEGIN, END], after
            assert station.journal.open_transactions() == []
    finally:
        journal_module.Wear = Wear


def test_an_end_whose_running_state_was_not_forgotten_is_repeated():
    station = Station()
    tx = station.session(end=False)
    station.journal.running.clear = _Once(station.journal.running.clear)
    with raises(MemoryError):
        station.journal.end(tx, 1, None, 2000, "local")
    station.journal.end(tx, 1, None, 2000, "local")
    assert [r.kind for r in station.start().read() if r.kind in (BEGIN, END)] == [BEGIN, END]
