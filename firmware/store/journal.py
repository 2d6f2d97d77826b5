"""Journal: durable, ordered log of session facts (begin, samples, end, security events), safe at a power loss.

Begin and end of a transaction and security events are on flash when the call returns. Meter samples are written in
batches, the last batch with the end of the transaction; reading includes samples that are not on flash yet.

A transaction's number is not above the sequence number of its BEGIN record. So numbers never repeat without a counter
on flash, and the records of a transaction are found by its number.
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

# Enough for 10 000 messages of an offline station; 32 segments of _SEGMENT_BYTES.
_MAX_BYTES = 1 << 20
_RESERVE_BLOCKS = 10  # room for the copy of a segment and some records

# Segments rewritten in one call: each takes about as long as eight erases.
_MAX_THINNINGS = 3

# Records that are refused while the reserve is not whole: a transaction must not begin unless it can end.
_NEEDS_RESERVE = (BEGIN, SAMPLE)

# Number of power-ons whose clock correction is cached; finding one takes a search through the journal.
_MAX_DELTAS = 8

_LAST_ENDS = 16  # ended transactions remembered from before this power-on


class Journal:
    """The journal in the directory `path`, including the running state.

    `settings` has JournalBatch and JournalBatchSeconds. `next_seq_floor` must be above every sequence number that was
    delivered: samples are delivered before they are durable, and their numbers must not be used again. Opening the
    journal sets the clock's floor to the newest time found. Above `max_bytes` samples are thinned.

    `has_room` is False while the flash is too full for a new transaction; `room_changed(has_room)` is emitted when that
    changes. `appended(seq)` is emitted for each new fact. `flushing()` is emitted before waiting records are written:
    the outbox then saves its position, or delivered records would be delivered again after a power loss.
    """

    def __init__(self, path, clock, log, settings, next_seq_floor=0, max_bytes=_MAX_BYTES):
        self._clock = clock
        self._settings = settings
        self._report = log
        self.appended = Signal(log.observer_failed)
        self.flushing = Signal(log.observer_failed)
        self.room_changed = Signal(log.observer_failed)
        self.wear = Wear()  # of this power-on, including the running state
        self._log = FlashLog(path, _SEGMENT_BYTES, next_seq_floor, self._opening, self.flushing.emit, self.wear.wrote)
        self._reserve = Reserve(path + "/reserve", _RESERVE_BLOCKS, self.wear)
        self._max_bytes = max_bytes
        self._grown = False  # a segment was begun: check the size
        self._thinned = 0  # segment that was thinned last
        self._exhaustion_told = False
        self._last_tx = 0
        self._writing = {}  # connector -> (kind, transaction) of a begin or end that is being written
        self._batch_began_ms = None  # time of the oldest sample in the batch
        self._released_to = 0  # segment up to which release() is done
        self._deltas = {}  # boot -> seconds to add to the times of that power-on
        self.running = RunningState(path + "/running", log, self.wear)
        self._timelines = Timelines(clock)
        # Numbers of the open transactions, and of those that ended last before this power-on, the newest at the end: at
        # most _LAST_ENDS, of the newest segment.
        self._open, self.last_ends, newest = _recover(self._log, self.running.load(), settings, log)
        clock.set_floor(newest)
        self._boot_synchronised = clock.synchronised
        self._rebase_needed = False  # something was written in this power-on before the clock was known
        self._boot = self._log.next_seq
        self._append(BOOT, records.boot_payload(self._time()), False)
        self.has_room = self._reserve.fill()

    # -- writing

    def next_tx(self):
        """Returns the number for a new transaction: >= 1, larger than all before."""
        self._last_tx = max(self._last_tx + 1, self._log.next_seq)
        return self._last_tx

    def begin(self, tx, connector, token, wh, reservation=None, parent=None):
        """Records the begin of transaction `tx` (from next_tx()); durable on return. OSError: it must not begin.

        After an exception the call may be repeated, like end(): only one record is written.
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
        """Returns True when the begin of a transaction was written, even if begin() has raised."""
        return any(record.kind == BEGIN for record in self.transaction(tx))

    def end(self, tx, connector, token, wh, reason):
        """Records the end of a transaction and all waiting samples; durable on return. Raises OSError.

        `token` is None when the transaction was not stopped with a token; `reason` as in OCPP 1.6 §7.36.
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
        """Records a reading that was due `ago_s` seconds ago (tx 0: outside of transactions); durable with its batch.

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
        """Continues the open transaction of a BEGIN Record from an earlier power-on, so that it can be ended.

        Its time is fixed at the last known moment: `newest` (Unix seconds), or that of the running state.
        """
        time = self._begin_time(begin)
        saved = self.running.load().get(begin.connector)
        elapsed = saved[2] - time[1] if saved and saved[0] == begin.tx else 0
        self._timelines.resume(begin.tx, time, max(elapsed, newest - begin.t))

    def save_running(self, tx, connector, wh):
        """Saves the energy and time of transaction `tx` for a power loss. Raises OSError."""
        self.running.save(connector, tx, wh, self._timelines.seconds(tx))

    def time_in(self, tx):
        """Returns the time inside a running transaction in Unix seconds: its begin plus elapsed time."""
        time = self._timelines.time(tx)
        return self._rebase(time[0], time[1]) if isinstance(time, tuple) else time

    def event(self, event, info=""):
        """Records a security event; durable on return. Raises OSError."""
        seq = self._append(EVENT, records.event_payload(self._time(), event, info[:255]), True)
        self.appended.emit(seq)
        return seq

    def clock_changed(self, delta):
        """Call it when the clock was moved by `delta` seconds; the first time corrects the times written before."""
        if self._boot_synchronised:
            return
        self._boot_synchronised = True
        self._deltas[self._boot] = delta
        self._append(CLOCK, records.clock_payload(self._time(), self._boot, delta), self._rebase_needed)

    def flush(self):
        """Writes waiting records, into the reserve if the flash is full; raises OSError."""
        try:
            self._log.flush()
        except OSError as exc:
            self._on_full_flash(exc, self._log.flush)
        self._batch_began_ms = None

    def flush_due(self):
        """Writes records that have waited for JournalBatchSeconds; call it every few seconds. Raises OSError."""
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
        """Yields the Records of one transaction from BEGIN to END that still exist."""
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
        """Returns True when the record `seq` is on flash."""
        return self._log.is_durable(seq)

    @property
    def next_seq(self):
        """Lowest possible sequence number of the next record."""
        return self._log.next_seq

    # -- making room

    def release(self, seq):
        """Removes whole segments with records before `seq`, which have all been delivered.

        Records of a transaction that had not ended before the segment of `seq` stay: its end may still have to be
        reported with its samples.
        """
        if not self.has_room and seq >= self._log.next_seq:
            self._log.rotate()  # short of space: free delivered records of the last segment too
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
        """Appends a begin or end, unless `known` or written by an interrupted call; returns its sequence number."""
        if known or self._writing.get(connector) == (kind, tx):
            for record in self.transaction(tx):
                if record.kind == kind:
                    self.flush()
                    return record.seq
        self._writing[connector] = (kind, tx)
        return self._append(kind, payload, True)

    def _append(self, kind, payload, durable):
        if kind in _NEEDS_RESERVE and not self._reserve.whole and not (kind == BEGIN and self._restore_reserve()):
            raise OSError(ENOSPC)  # the rest is for ends and events
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
        """Frees space and calls write() again, which has failed with `exc`; raises OSError when there is no space."""
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
        """Fills the reserve, thinning if necessary; returns True when it is whole."""
        self._thin(self._log.size() - 1)
        return self._fill_reserve()

    def _fill_reserve(self):
        """Fills the reserve if there is space; returns True when it is whole."""
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
            self._report.error("journal", "MemoryExhaustion not stored: %s", exc)

    def _thin(self, target):
        """Thins up to _MAX_THINNINGS segments until the journal has at most `target` bytes; returns bytes freed."""
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
            self._report.warning("journal", "samples thinned, %d of %d bytes freed", won, size)
        return won

    def _begin_time(self, begin):
        """Returns (boot or None, seconds) of a BEGIN Record as stored on flash."""
        for seq, _, payload in self._log.read(begin.seq):
            if seq == begin.seq:
                return records.time_of(payload)
            break
        return None, begin.t

    def _time(self, ago_s=0, tx=0):
        """Returns the time for a record: Unix seconds, or (boot, seconds) while the clock is not known."""
        time = self._timelines.time(tx, ago_s)
        if time is not None:
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
            return None  # from a later version; logged when the journal was opened

    def _rebase(self, boot, t):
        """Returns the corrected time of a record that was written before the clock was synchronised."""
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
        return 0  # the clock was never set in that power-on


def _open_in(header):
    """Returns the open transactions in a segment's header, None when it is damaged or of another format."""
    try:
        version, numbers = unpack(header)[:2]
    except (ValueError, TypeError):
        return None
    return numbers if version == _FORMAT else None


def _recover(log, running, settings, report):
    """Reads the last segment of a FlashLog, or all if its header is damaged; `running` is from RunningState.load().

    Returns (set of the open transactions, list of those that ended last, newest time).
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
            report.error("journal", "record %d cannot be read", seq)
    if log.damaged:
        report.error("journal", "damaged segments: %s", sorted(log.damaged))
    # Not before the newest sample of the open transactions, which may have been delivered and lost: the running state
    # is saved every RunningStateInterval.
    saved = [t for tx, _, t in running.values() if tx in numbers]
    if saved:
        newest = max(newest, max(saved) + settings.get("RunningStateInterval"))
    return numbers, ends, newest
