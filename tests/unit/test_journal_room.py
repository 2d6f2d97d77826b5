"""The journal on a flash that gets full: what runs can end, what is delivered makes room, other errors stay errors."""

import os

import flashlog
import flashlog.segment as segment_module
from folder import fresh_folder
from harness import FakeClock, raises

import firmware.store.journal as journal_module
import firmware.store.room as room_module
from firmware.kernel.log import ERROR, WARNING, Log
from firmware.kernel.reading import Reading
from firmware.store.journal import Journal
from firmware.store.records import BEGIN, END, EVENT, SAMPLE
from firmware.store.registry import SETTINGS
from firmware.store.room import Reserve, free_bytes
from firmware.store.settings import Settings
from firmware.store.wear import Wear

_SEGMENT = 2048
_RESERVE = 3 * 4096


class _File:
    """A file that is being written; nothing of a write reaches it for which there is no room."""

    def __init__(self, file, disk):
        self._file = file
        self._disk = disk

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._file.close()

    def write(self, data):
        if self._disk.error or len(data) > self._disk.left():
            raise OSError(self._disk.error or 28, "refused")  # CPython has no errno for an OSError with one argument
        count = self._file.write(data)
        self._file.flush()
        return count


class Disk:
    """`with Disk(path, bytes) as disk:` the files in `path` take so many bytes at most (`disk.capacity`).

    `disk.error` is the errno of every write, if any.
    """

    def __init__(self, path, capacity):
        self.path = path
        self.capacity = capacity
        self.error = None

    def left(self):
        return self.capacity - sum([os.stat(self.path + "/" + name)[6] for name in os.listdir(self.path)])

    def fill(self, left=0):
        """Somebody else takes the rest but for so many bytes."""
        self.capacity -= self.left() - left

    def statvfs(self, path):
        assert path == self.path
        return (1, 512, 9, 9, max(0, self.left()), 9, 9, 9, 9, 9)

    def __enter__(self):
        class Os:
            stat, remove, statvfs = os.stat, os.remove, self.statvfs

        room_module.os = Os
        for module in (flashlog, segment_module, room_module):
            module.open = self._open
        self._before = journal_module._SEGMENT_BYTES, journal_module._RESERVE_BLOCKS
        journal_module._SEGMENT_BYTES, journal_module._RESERVE_BLOCKS = _SEGMENT, _RESERVE // 4096
        return self

    def __exit__(self, *exc_info):
        room_module.os = os
        for module in (flashlog, segment_module, room_module):
            del module.open
        journal_module._SEGMENT_BYTES, journal_module._RESERVE_BLOCKS = self._before

    def _open(self, path, mode):
        return open(path, mode) if mode == "rb" else _File(open(path, mode), self)


class Station:
    """A journal on a Disk; `error(...)` returns the errno with which a call failed, or None."""

    def __init__(self, disk):
        self.disk = disk
        self.folder = disk.path[: -len("/journal")]
        self.clock = FakeClock()
        self.log = Log(self.clock)
        settings = Settings(self.folder + "/settings", SETTINGS)
        self.journal = Journal(disk.path, self.clock, self.log, settings)
        self.room = []
        self.journal.room_changed.connect(self.room.append)
        self.wh = 0

    def begin(self):
        tx = self.journal.next_tx()
        self.journal.begin(tx, 1, "TAG", 0)
        return tx

    def samples(self, tx, count, context="periodic"):
        for _ in range(count):
            self.wh += 1
            self.journal.sample(tx, 1, context, Reading(energy_wh=self.wh))

    def kinds(self):
        return [record.kind for record in self.journal.read() if record.kind <= EVENT]

    def registers(self):
        return [record.reading.energy_wh for record in self.journal.read() if record.reading]


def new_disk(capacity=100_000):
    path = fresh_folder() + "/journal"
    os.mkdir(path)
    return Disk(path, capacity)


def errno_of(function, *arguments):
    with raises(OSError) as caught:
        function(*arguments)
    return caught.value.args[0]


def test_the_reserve_is_a_file_of_its_size_or_nothing():
    with new_disk() as disk:
        path = disk.path + "/reserve"
        wear = Wear()
        reserve = Reserve(path, 3, wear)
        assert not reserve.whole
        reserve.give()  # there is nothing to give
        assert reserve.fill() and reserve.whole and os.stat(path)[6] == _RESERVE and wear.erases == 3
        assert reserve.fill() and wear.erases == 3  # it is there
        assert Reserve(path, 3, wear).fill() and wear.erases == 3
        reserve.give()
        assert not reserve.whole and os.listdir(disk.path) == []
        disk.fill(left=_RESERVE - 1)
        assert not reserve.fill() and not reserve.whole and wear.erases == 3  # not worn for nothing
        disk.capacity += 1
        assert reserve.fill() and disk.left() == 0
        bigger = Reserve(path, 4, wear)  # of a later version
        assert not bigger.fill() and os.listdir(disk.path) == []
        disk.error = 5
        assert not reserve.fill() and not reserve.whole and os.listdir(disk.path) == []


def test_free_bytes_are_those_of_the_file_system_of_a_file():
    with new_disk(5000) as disk:
        assert free_bytes(disk.path + "/reserve") == 5000


def test_a_full_flash_lets_a_transaction_end_and_none_begin():
    with new_disk() as disk:
        station = Station(disk)
        journal = station.journal
        heard = []
        journal.appended.connect(heard.append)
        assert journal.has_room and os.stat(disk.path + "/reserve")[6] == _RESERVE
        tx = station.begin()
        station.samples(tx, 2, "begin")
        journal.flush()
        disk.fill()
        # what is left is for ends and events
        journal.event("One")
        assert station.room == [False] and not journal.has_room
        assert errno_of(station.begin) == errno_of(station.samples, tx, 1) == 28
        journal.end(tx, 1, "TAG", 5, "Local")
        journal.event("Two")
        assert station.kinds() == [BEGIN, SAMPLE, SAMPLE, EVENT, EVENT, END, EVENT]
        events = [record.context for record in journal.read() if record.kind == EVENT]
        assert events == ["One", "MemoryExhaustion", "Two"]
        assert {record.seq for record in journal.read() if record.kind == EVENT} <= set(heard)
        assert [line[3] for line in station.log.lines(ERROR)] == ["flash full"]
        # room again: noticed when somebody wants to begin
        disk.capacity += _RESERVE + 1000
        assert errno_of(station.samples, tx, 1) == 28
        station.begin()
        assert station.room == [False, True] and journal.has_room
        disk.fill()
        journal.event("Three")
        assert [record.context for record in journal.read() if record.kind == EVENT].count("MemoryExhaustion") == 1


def test_samples_make_room_for_others_and_for_the_next_transaction():
    with new_disk() as disk:
        station = Station(disk)
        tx = station.begin()
        station.samples(tx, 600)
        station.journal.flush()
        disk.fill()
        station.samples(tx, 100)  # some batches
        made = station.registers()
        assert made[-20:] == list(range(681, 701)) and made != list(range(1, 701)) and made[0] in (1, 2)
        assert station.journal.has_room and station.room == []
        assert any("samples thinned" in line[3] for line in station.log.lines(WARNING))


def test_the_samples_that_wait_are_kept_when_a_flush_finds_no_room():
    with new_disk() as disk:
        station = Station(disk)
        tx = station.begin()
        station.samples(tx, 3, "begin")
        disk.fill(left=0)
        station.journal.flush()  # into the reserve
        assert station.journal.is_durable(station.journal.next_seq - 1)
        assert station.registers() == [1, 2, 3] and not station.journal.has_room


def test_errors_of_another_kind_are_not_taken_for_a_full_flash():
    with new_disk() as disk:
        station = Station(disk)
        tx = station.begin()
        station.samples(tx, 1)
        disk.error = 5
        assert errno_of(station.journal.event, "X") == errno_of(station.journal.flush) == 5
        disk.error = None
        station.journal.end(tx, 1, "TAG", 5, "Local")
        assert station.kinds() == [BEGIN, SAMPLE, END] and station.journal.has_room and station.room == []
        assert not list(station.log.lines(ERROR))


def test_what_was_delivered_makes_room_out_of_the_last_segment_too():
    with new_disk() as disk:
        station = Station(disk)
        journal = station.journal
        tx = station.begin()
        station.samples(tx, 20, "begin")
        journal.end(tx, 1, "TAG", 5, "Local")
        journal.release(journal.next_seq)
        assert station.kinds()  # where there is room, the last segment goes when it is full
        disk.fill()
        journal.event("X")
        journal.release(journal.next_seq - 1)
        assert station.kinds() and not journal.has_room
        disk.capacity += _RESERVE
        journal.release(journal.next_seq)
        assert station.kinds() == [] and journal.has_room and station.room == [False, True]


def test_a_journal_beyond_its_share_is_thinned_a_few_segments_at_a_time():
    with new_disk() as disk:
        station = Station(disk)
        journal = station.journal
        journal._max_bytes = 8 * _SEGMENT
        tx = station.begin()
        sizes = []
        for _ in range(60):
            station.samples(tx, 20)
            sizes.append(journal._log.size())
        # one segment more before the next look at the size
        assert 8 * _SEGMENT + _SEGMENT // 2 < max(sizes) <= 9 * _SEGMENT and journal.has_room
        registers = station.registers()
        assert len(registers) > 250 and registers[-20:] == list(range(1181, 1201))


def watch_rewrites(log):
    """Returns a list that gets the number of each segment that is rewritten."""
    rewrites = []
    rewrite = log.rewrite

    def watched(base, keep):
        rewrites.append(base)
        return rewrite(base, keep)

    log.rewrite = watched
    return rewrites


def test_thinning_begins_with_the_oldest_and_does_no_more_than_one_call_may():
    won = 0
    for over, rewritten in ((0, 0), (1, 1), ("won", 1), ("more", 2), (100_000, 3)):
        bytes_over = {"won": won, "more": won + 1}.get(over, over)
        with new_disk() as disk:
            station = Station(disk)
            tx = station.begin()
            station.samples(tx, 600)
            log = station.journal._log
            segments = log.segments()
            rewrites = watch_rewrites(log)
            while log.segments() == segments:
                station.samples(tx, 1)
            before = log.size()
            station.journal._max_bytes = before - bytes_over
            station.samples(tx, 1)
            assert rewrites == list(segments[:rewritten])
            assert station.registers()[:2] == ([2, 4] if rewritten else [1, 2])
            if over == 1:
                won = before - log.size()


def test_a_transaction_begins_on_a_full_flash_only_where_samples_make_room_for_it():
    with new_disk() as disk:
        station = Station(disk)
        disk.fill()
        assert errno_of(station.begin) == 28 and station.kinds() == [EVENT]
        assert [line[3] for line in station.log.lines(WARNING)] == ["flash full"]
    with new_disk() as disk:
        station = Station(disk)
        station.samples(0, 300)
        station.journal.flush()
        disk.fill()
        station.begin()
        assert station.kinds()[-1] == BEGIN or station.kinds()[-2:] == [BEGIN, EVENT]


def test_each_attempt_to_begin_makes_some_room_until_there_is_enough():
    with new_disk() as disk:
        station = Station(disk)
        station.samples(0, 900)
        station.journal.flush()
        disk.fill()
        disk.capacity += 3000 - _RESERVE  # room for the copy of a segment, once the reserve is gone
        station.journal.event("X")
        assert not station.journal.has_room
        failed = 0
        while BEGIN not in station.kinds():
            try:
                station.begin()
            except OSError:
                failed += 1
            assert failed < 40
        assert failed > 2 and station.journal.has_room
