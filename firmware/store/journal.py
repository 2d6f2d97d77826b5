"""Journal: durable, ordered log of session facts (begin, samples, end, security events), safe at a power loss.

Beginning and end of a transaction and security events are on flash when their call returns; meter samples are written
in batches, the last one with the end of the transaction. Readers get what is not yet written too.

A transaction's number is at most the sequence number of its BEGIN record. So numbers never repeat, without a counter of
their own on flash, and the records of a transaction are found from its number.
"""

from flashlog import FlashLog

from firmware.kernel.signal import Signal
from firmware.store import records
from firmware.store.packing import pack, unpack
from firmware.store.records import BEGIN, BOOT, CLOCK, END, EVENT, SAMPLE
from firmware.store.room import ENOSPC, Reserve
from firmware.store.running import RunningState
from firmware.store.thinning import thin
from firmware.store.timeline import Timelines
from firmware.store.wear import Wear

_SEGMENT_BYTES = 32768
_FORMAT = 1

# Enough for 10 000 messages of an offline station; the segments of this size are few enough for one directory.
_MAX_BYTES = 1 << 20
_RESERVE_BLOCKS = 10  # a segment's copy, and some records

# Rewriting a segment takes about as long as eight erases: not more of them than this in one call.
_MAX_THINNINGS = 3

# A transaction begins only where it can end, and a sample is worth less than that.
_NEEDS_RESERVE = (BEGIN, SAMPLE)

# Power-ons without a known time whose clock difference is remembered; each takes a search through the journal.
_MAX_DELTAS = 8

_LAST_ENDS = 16  # that are remembered from the last power-on


class Journal:
    """The journal in the directory `path`, the running state included.

    `settings` gives JournalBatch and JournalBatchSeconds. `next_seq_floor` must lie above every sequence number that a
    reader has acknowledged: samples are delivered before they are durable, and their numbers must not come again.
    Opening the journal tells the clock the newest time known, as a floor. Beyond `max_bytes` samples are thinned.

    `has_room` is False while the flash is so full that no transaction can begin; `room_changed(has_room)` tells when.
    `appended(seq)` is emitted for each new fact, `flushing()` before waiting ones are written: who delivers records
    that are not durable yet makes the place they have reached durable there, or they would be delivered twice.
    """

    def __init__(self, path, clock, log, settings, next_seq_floor=0, max_bytes=_MAX_BYTES):
        self._clock = clock
        self._settings = settings
        self._report = log
        self.appended = Signal()
        self.flushing = Signal()
        self.room_changed = Signal()
        self.wear = Wear()  # what this power-on has cost the flash, with the running state
        self._log = FlashLog(path, _SEGMENT_BYTES, next_seq_floor, self._opening, self.flushing.emit, self.wear.wrote)
        self._reserve = Reserve(path + "/reserve", _RESERVE_BLOCKS, self.wear)
        self._max_bytes = max_bytes
        self._grown = False  # a segment was begun: time to look at the size
        self._thinned = 0  # segment that was thinned last
        self._exhaustion_told = False
        self._last_tx = 0
        self._writing = {}  # connector -> (kind, transaction) of a begin or end whose writing has not come to its end
        self._batch_began_ms = None  # when the oldest waiting sample was taken
        self._released_to = 0  # segment up to which release() has done all it can
        self._deltas = {}  # boot -> seconds to add to times of that power-on
        self.running = RunningState(path + "/running", log, self.wear)
        self._timelines = Timelines(clock)
        # Numbers of the transactions that have begun and not ended, and of those that ended last before this power-on,
        # the newest at the end: as many as the newest segment has of them, and not more than some.
        self._open, self.last_ends, newest = _recover(self._log, self.running.load(), settings, log)
        clock.set_floor(newest)
        self._boot_synchronised = clock.synchronised
        self._rebase_needed = False  # something was written in this power-on before the clock was known
        self._boot = self._log.next_seq
        self._append(BOOT, records.boot_payload(self._time()), False)
        self.has_room = self._reserve.fill()

    # -- writing

    def next_tx(self):
        """Returns the number for a new transaction: >= 1, larger than every one before."""
        self._last_tx = max(self._last_tx + 1, self._log.next_seq)
        return self._last_tx

    def begin(self, tx, connector, token, wh, reservation=None, parent=None):
        """Records that transaction `tx` (of next_tx()) begins; durable on return. Raises OSError: it may not begin.

        A call that did not return may be repeated, as that of end(): there is one record in the end.
        """
        self._log.skip_to(tx)
        time = self._time()
        payload = records.begin_payload(time, tx, connector, token, wh, reservation, parent)
        seq = self._once(BEGIN, tx, connector, payload, tx in self._open)
        self._open.add(tx)
        self._timelines.begin(tx, time)
        self._writing.pop(connector, None)
        self.appended.emit(seq)
        return seq

    def has_begun(self, tx):
        """Tells whether the begin of a transaction was written, whatever begin() has raised."""
        return any(record.kind == BEGIN for record in self.transaction(tx))

    def end(self, tx, connector, token, wh, reason):
        """Records the end of a transaction with all samples that wait; durable on return. Raises OSError.

        `token` is None when nobody presented one; `reason` is the field's word (OCPP 1.6 §7.36).
        """
        payload = records.end_payload(self._time(0, tx), tx, connector, token, wh, reason)
        seq = self._once(END, tx, connector, payload, tx not in self._open)
        self.running.clear(connector)
        self._open.discard(tx)
        self._timelines.end(tx)
        self._writing.pop(connector, None)
        self.appended.emit(seq)
        return seq

    def sample(self, tx, connector, context, reading, offered_ma=None, ago_s=0):
        """Records a reading that was due `ago_s` seconds ago (transaction 0: outside any); durable with its batch.

        Raises ValueError, OSError.
        """
        payload = records.sample_payload(self._time(ago_s, tx), tx, connector, context, reading, offered_ma)
        seq = self._append(SAMPLE, payload, False)
        if self._batch_began_ms is None:
            self._batch_began_ms = self._clock.ms()
        if self._log.pending >= self._settings.get("JournalBatch"):
            self.flush()
        self.appended.emit(seq)
        return seq

    def resume(self, begin, newest):
        """Takes up the transaction of a BEGIN Record that an earlier power-on left open, to be ended.

        Its time stands still where it is last known to have run: at `newest` (Unix seconds), or what the running state
        says.
        """
        time = self._begin_time(begin)
        seconds = time[1] if isinstance(time, tuple) else time
        saved = self.running.load().get(begin.connector)
        elapsed = saved[2] - seconds if saved and saved[0] == begin.tx else 0
        self._timelines.resume(begin.tx, time, max(elapsed, newest - begin.t))

    def save_running(self, tx, connector, wh):
        """Keeps how far transaction `tx` has come for the case that the power goes. Raises OSError."""
        self.running.save(connector, tx, wh, self._timelines.seconds(tx))

    def time_in(self, tx):
        """Returns the time inside a running transaction, Unix seconds: its begin plus what has elapsed."""
        time = self._timelines.time(tx)
        return self._rebase(time[0], time[1]) if isinstance(time, tuple) else time

    def event(self, event, info=""):
        """Records a security event; durable on return. Raises OSError."""
        seq = self._append(EVENT, records.event_payload(self._time(), event, info[:255]), True)
        self.appended.emit(seq)
        return seq

    def clock_changed(self, delta):
        """To be called when the clock was moved by `delta` seconds; the first time re-bases what was written before."""
        if self._boot_synchronised:
            return
        self._boot_synchronised = True
        self._deltas[self._boot] = delta
        self._append(CLOCK, records.clock_payload(self._time(), self._boot, delta), self._rebase_needed)

    def flush(self):
        """Writes what waits, on a full flash into the reserve; raises OSError."""
        try:
            self._log.flush()
        except OSError as exc:
            self._on_full_flash(exc, self._log.flush)
        self._batch_began_ms = None

    def flush_due(self):
        """Writes what has waited for JournalBatchSeconds; to be called every few seconds. Raises OSError."""
        began = self._batch_began_ms
        if began is not None and self._clock.ms() - began >= 1000 * self._settings.get("JournalBatchSeconds"):
            self.flush()

    # -- reading

    def read(self, seq=None):
        """Yields the Records from sequence number `seq` on (None: all), oldest first."""
        for item in self._log.read(seq or 0):
            record = self._decode(item)
            if record is not None:
                yield record

    def transaction(self, tx):
        """Yields the Records of one transaction from BEGIN to END, as far as they are still there."""
        for item in self._log.read(tx):
            record = self._decode(item)
            if record is not None and record.tx == tx and record.kind in (BEGIN, SAMPLE, END):
                yield record
                if record.kind == END:
                    return

    def newest_of(self, tx):
        """Yields the Records of one transaction that are in the two newest segments: about the last thousand."""
        for record in self.read(max(tx, (self._log.segments()[-2:] or (0,))[0])):
            if record.tx == tx and record.kind in (BEGIN, SAMPLE, END):
                yield record

    def open_transactions(self):
        """Returns the BEGIN Records of all transactions that have not ended, oldest first."""
        found = []
        for tx in sorted(self._open):
            for record in self.transaction(tx):
                if record.kind == BEGIN:
                    found.append(record)
                break
        return found

    def is_durable(self, seq):
        """Tells whether the record `seq` is on flash already."""
        return self._log.is_durable(seq)

    @property
    def next_seq(self):
        """The sequence number that the next record will have at least."""
        return self._log.next_seq

    # -- making room

    def release(self, seq):
        """Drops records before `seq`, all of which were delivered, in whole segments.

        Those of a transaction that had not ended before the segment of `seq` stay: its end may still have to be
        reported, with its samples.
        """
        if not self.has_room and seq >= self._log.next_seq:
            self._log.rotate()  # where room is short, what was delivered out of the last segment goes, too
        segments = self._log.segments()
        if len(segments) < 2 or segments[1] > seq:
            return
        base, payload = self._log.header(seq)
        if base == self._released_to:
            return
        self._released_to = base
        numbers = _open_in(payload)
        if numbers is not None:
            self._log.release(min(numbers + [seq]))
            self._fill_reserve()

    # -- inside

    def _once(self, kind, tx, connector, payload, known):
        """Appends a begin or end, unless it is `known` or an interrupted call has written it; returns its number."""
        if known or self._writing.get(connector) == (kind, tx):
            for record in self.transaction(tx):
                if record.kind == kind:
                    self.flush()
                    return record.seq
        self._writing[connector] = (kind, tx)
        return self._append(kind, payload, True)

    def _append(self, kind, payload, durable):
        if kind in _NEEDS_RESERVE and not self._reserve.whole and not (kind == BEGIN and self._restore_reserve()):
            raise OSError(ENOSPC)  # what is left is for ends and events
        try:
            seq = self._log.append(kind, payload, durable)
        except OSError as exc:
            seq = self._on_full_flash(exc, lambda: self._log.append(kind, payload, durable), kind in _NEEDS_RESERVE)
        if not self._log.pending:
            self._batch_began_ms = None
        if self._grown:
            self._grown = False
            self._thin(self._max_bytes)
        return seq

    def _on_full_flash(self, exc, write, needs_reserve=False):
        """Makes room and calls write(), which has failed with `exc`, again; raises OSError when there is none."""
        if exc.errno != ENOSPC:
            raise exc
        self._reserve.give()
        try:
            won = self._thin(self._log.size() - 1)
            if not won and needs_reserve:
                raise exc
            return write()
        finally:
            self._tell_exhaustion()
            self._fill_reserve()

    def _restore_reserve(self):
        """Makes the reserve whole again if there is room or some to win; returns True when it is."""
        self._thin(self._log.size() - 1)
        return self._fill_reserve()

    def _fill_reserve(self):
        """Makes the reserve whole if there is room for it; returns True when it is."""
        whole = self._reserve.fill()
        if whole != self.has_room:
            self.has_room = whole
            self.room_changed.emit(whole)
        return whole

    def _tell_exhaustion(self):
        """Records, once, that the flash was full."""
        if self._exhaustion_told:
            return
        self._exhaustion_told = True
        self._report.error("journal", "flash full")
        payload = records.event_payload(self._time(), "MemoryExhaustion", "flash full")
        try:
            self.appended.emit(self._log.append(EVENT, payload, True))
        except OSError as exc:
            self._report.error("journal", "MemoryExhaustion is not kept: %s", exc)

    def _thin(self, target):
        """Thins segments, as many as one call may, until the journal has at most `target` bytes; returns bytes won."""
        size = self._log.size()
        if size <= target:
            return 0
        won = 0
        try:
            for _ in range(_MAX_THINNINGS):
                step, self._thinned = thin(self._log, self._thinned)
                won += step
                if not step or size - won <= target:
                    break
        except OSError as exc:
            self._report.error("journal", "thinning failed: %s", exc)
        if won:
            self._report.warning("journal", "samples thinned, %d of %d bytes won", won, size)
        return won

    def _begin_time(self, begin):
        """Returns the time of a BEGIN Record as it is on flash."""
        for seq, _, payload in self._log.read(begin.seq):
            if seq == begin.seq:
                boot, seconds = records.time_of(payload)
                return seconds if boot is None else (boot, seconds)
            break
        return begin.t

    def _time(self, ago_s=0, tx=0):
        """Returns the time for a record: Unix seconds, or (boot, seconds) while the clock is not known."""
        time = self._timelines.time(tx, ago_s)
        if time is not None:
            self._rebase_needed = self._rebase_needed or isinstance(time, tuple)
            return time
        if self._boot_synchronised:
            return self._clock.now() - ago_s
        self._rebase_needed = self._rebase_needed or self._log.next_seq > self._boot
        return (self._boot, self._clock.now() - ago_s)

    def _opening(self):
        self._grown = True
        return pack((_FORMAT, sorted(self._open)))

    def _decode(self, item):
        try:
            return records.decode(item[0], item[1], item[2], self._rebase)
        except ValueError:
            return None  # of a later version; reported when the journal was opened

    def _rebase(self, boot, t):
        """Returns the time of a record that was written before the clock was synchronised."""
        if boot not in self._deltas and boot != self._boot:
            if len(self._deltas) >= _MAX_DELTAS:
                self._deltas = {b: d for b, d in self._deltas.items() if b == self._boot}
            self._deltas[boot] = self._find_delta(boot)
        return t + self._deltas.get(boot, 0)

    def _find_delta(self, boot):
        for seq, kind, payload in self._log.read(boot):
            if kind == CLOCK:
                found, delta = records.clock_fields(payload)
                if found == boot:
                    return delta
            elif kind == BOOT and seq > boot:
                break
        return 0  # that power-on never learned the time


def _open_in(header):
    """Returns the transaction numbers in the head of a segment, None when it is damaged or of another format."""
    try:
        version, numbers = unpack(header)[:2]
    except (ValueError, TypeError):
        return None
    return numbers if version == _FORMAT else None


def _recover(log, running, settings, report):
    """Reads the last segment of a FlashLog, or all when its head is damaged; `running` is that of RunningState.load().

    Returns (numbers of the open transactions as a set, those of the last that ended as a list, the newest time).
    """
    numbers, ends, newest = set(), [], 0
    segments = log.segments()
    if not segments:
        return numbers, ends, newest
    start, payload = log.header(segments[-1])
    opened = _open_in(payload)
    if opened is None:
        start = 0
    else:
        numbers.update(opened)
    for seq, kind, payload in log.read(start):
        try:
            if kind == BEGIN:
                numbers.add(records.transaction_number(kind, payload))
            elif kind == END:
                ended = records.transaction_number(kind, payload)
                numbers.discard(ended)
                ends.append(ended)
                del ends[:-_LAST_ENDS]
            newest = max(newest, records.time_of(payload)[1])
        except ValueError:
            report.error("journal", "record %d makes no sense", seq)
    if log.damaged:
        report.error("journal", "damaged segments: %s", sorted(log.damaged))
    # A time not before the newest sample of the open transactions, which may have been delivered and lost: between two
    # savings of the running state, RunningStateInterval passes at most.
    saved = [t for tx, _, t in running.values() if tx in numbers]
    if saved:
        newest = max(newest, max(saved) + settings.get("RunningStateInterval"))
    return numbers, ends, newest
