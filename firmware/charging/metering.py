"""Metering of one connector: polls the meter, guards its register, samples it, and remembers how far it got.

OCPP 1.6 §3.16: sampled values at an interval from the begin of the transaction, clock-aligned values at multiples of an
interval from midnight (UTC). An interval of 0 is off.
"""

from micropython import const

from firmware.kernel.reading import Reading

_POLL_MS = const(1_000)
_WAKE_MS = const(50)  # how soon a request for a reading is noticed
_LOST_AFTER = const(3)  # polls without an answer
_ODD_TIMES = const(3)  # polls with a register that makes no sense before it is believed
_JUMP_WH = const(100_000)  # what no vehicle takes between two polls, and what it takes in a second at most
_MOST_WH_PER_S = const(25)
_STALE_MS = const(15_000)  # a reading older than this is none

# The energy that a power cut may cost the journal: see also the setting RunningStateInterval.
_SAVE_WH = const(500)

_DAY = const(86_400)


class Register:
    """An energy register that neither runs backwards nor jumps within a transaction (OCPP 1.6 erratum 3.77).

    A meter that is replaced or resets while it counts gets an offset, and so does one that first answers after counting
    had to begin without it. Outside a transaction what the meter shows is taken.
    """

    def __init__(self):
        self.wh = None
        self.offset = 0
        self._odd = 0
        self._assumed = False

    def take(self, raw, counting, seconds=0):
        """Takes the meter's register in Wh, read `seconds` after the last one; returns a new offset, else None."""
        if self._assumed or (self.offset and not counting):
            return self._shift(raw, counting)
        wh = raw + self.offset
        most = _JUMP_WH + _MOST_WH_PER_S * seconds
        if self.wh is None or wh >= self.wh and (not counting or wh - self.wh <= most):
            self._odd = 0
            self.wh = wh
            return None
        # One such value is a glitch; a meter that insists means it.
        self._odd += 1
        if counting and self._odd < _ODD_TIMES:
            return None
        return self._shift(raw, counting)

    def _shift(self, raw, counting):
        """Joins what the meter shows to what was counted so far, or takes it as it is."""
        self._odd = 0
        self._assumed = False
        self.offset = self.wh - raw if counting else 0
        self.wh = raw + self.offset
        return self.offset

    def assume(self, wh):
        """Counting begins at `wh` although the meter has never been read, so that its past is not counted."""
        if self.wh is None:
            self.wh = wh
            self._assumed = True

    def at_least(self, wh):
        """Starts from a value known before a restart."""
        if self.wh is None or self.wh < wh:
            self.wh = wh


class Slots:
    """Tells when a new multiple of an interval has begun. Changing the interval or `forget()` begins nothing."""

    _key = None
    _slot = None

    def due(self, interval, now, key=0):
        """`interval` and `now` in seconds (0: off); `key` is what `now` counts from (a transaction, a day)."""
        if interval <= 0:
            self.forget()
            return False
        slot = now // interval
        began = slot != self._slot and (interval, key) == self._key
        self._key = (interval, key)
        self._slot = slot
        return began

    def forget(self):
        self._key = None


def _failure(exc, never_answered):
    """Returns the vendorErrorCode of a meter that gives no reading."""
    if getattr(exc, "code", None) is not None:  # of a modbus_rtu.ModbusError
        return "METER FAULTED"
    return "METER NOT_PRESENT" if never_answered else "METER TIMEOUT"


class Metering:
    """Polls one meter about once a second; `meter` has async read() -> Reading (OSError), or is None: none fitted.

    Samples outside a transaction are sampled(number, context, t, reading), a signal; those inside go to the journal.

    newest   newest Reading, its energy the guarded register; None before the first
    lost     True while the meter does not answer
    polled_at  ms at which the newest completed poll was started, answered or not
    """

    def __init__(self, number, meter, evse, clock, log, settings, journal, sampled):
        self._number = number
        self._meter = meter
        self._evse = evse
        self._clock = clock
        self._log = log
        self._settings = settings
        self._journal = journal
        self._sampled = sampled
        self._register = Register()
        self._transaction = None
        self._periodic = Slots()
        self._aligned = Slots()
        self._wanted = False
        self._failures = 0
        self._silent_since = 0
        self._failed = False
        self._read_at = None
        self._saved_wh = 0
        self._saved_ms = 0
        self.newest = None
        self.lost = False
        self.polled_at = -1
        clock.changed.connect(self._clock_changed)

    # -- reading the meter

    async def run(self, beat):
        """Polls for ever; a request is answered at once, otherwise about once a second."""
        while True:
            beat()
            self._wanted = False
            await self.poll()
            until = self._clock.ms() + _POLL_MS
            while not self._wanted and self._clock.ms() < until:
                await self._clock.sleep_ms(_WAKE_MS)

    async def poll(self):
        """Reads the meter once."""
        started = self._clock.ms()
        if self._meter is not None:
            try:
                reading = await self._meter.read()
            except OSError as exc:
                self._no_answer(exc)
            else:
                self._answer(reading, started)
        self.polled_at = started

    def request(self):
        """Asks for a reading as soon as possible; `polled_at` tells when it is there."""
        self._wanted = True

    def _answer(self, reading, started):
        if self.lost:
            self.lost = self._failed = False
            self._log.info(self._area, "meter answers again")
            self._evse.clear_fault("meter_lost")
            self._evse.clear_fault("meter_failed")
        self._failures = 0
        if reading.energy_wh is not None:
            seconds = 0 if self._read_at is None else (started - self._read_at) // 1000
            offset = self._register.take(reading.energy_wh, self._transaction is not None, seconds)
            if offset is not None:
                self._log.warning(self._area, "register is at %d Wh, offset is now %d", reading.energy_wh, offset)
        reading.energy_wh = self._register.wh
        self.newest = reading
        self._read_at = started
        self._evse.set_meter(reading)
        if self._transaction:
            self._follow(self._transaction)

    def _no_answer(self, exc):
        now = self._clock.ms()
        self._failures += 1
        if self._failures == 1:
            self._silent_since = now
        code = _failure(exc, self.newest is None)
        if self._failures == _LOST_AFTER:
            self.lost = True
            self._log.warning(self._area, "meter lost: %s", exc)
            self._evse.set_meter(None)
            self._evse.raise_fault("meter_lost", code)
        limit_ms = self._settings.get("MeterLossTimeout") * 1000
        failed = self.lost and 0 < limit_ms <= now - self._silent_since
        if failed != self._failed:
            self._failed = failed
            if failed:
                self._evse.raise_fault("meter_failed", code)
            else:
                self._evse.clear_fault("meter_failed")

    @property
    def _area(self):
        return "meter %d" % self._number

    @property
    def register_wh(self):
        """The guarded register, Wh; the last known value while the meter is lost, 0 when there never was one."""
        return self._register.wh or 0

    @property
    def unreadable(self):
        """True while nothing is known of the register although there is a meter."""
        return self._register.wh is None and self._meter is not None

    def answered_since(self, ms):
        """Tells whether a poll that was started at `ms` or later was answered, or that no meter would answer it."""
        if self.lost or self._meter is None:
            return self.polled_at >= ms
        return self._read_at is not None and self._read_at >= ms

    def at_least(self, wh):
        """The register was known to be at `wh` before a restart."""
        self._register.at_least(wh)

    @property
    def settled(self):
        """True when the register is known, or when there is no hope that waiting makes it known."""
        return self.newest is not None or self.lost or self._meter is None

    def current(self):
        """Returns the newest Reading if it is not stale, or None."""
        if self.newest is None or self._clock.ms() - self._read_at > _STALE_MS:
            return None
        return self.newest

    # -- transaction

    def begin(self, transaction):
        """A transaction begins, its begin record is written: sample it and count from here."""
        self._transaction = transaction
        begin_wh = None if self.unreadable else transaction.begin_wh
        self._register.assume(transaction.begin_wh)
        self._saved_wh = transaction.begin_wh
        self._saved_ms = self._clock.ms()
        self._journal_sample("begin", self._at(begin_wh))

    def end(self, transaction):
        """A transaction ends, its end record is not yet written. Saying so again changes nothing."""
        if self._transaction is transaction:
            self._journal_sample("end", self._at(transaction.end_wh))
            self._transaction = None

    def _at(self, wh):
        """Returns the newest reading for a value `wh` that another record carries as well."""
        return self.current() or Reading(energy_wh=wh)

    def _follow(self, transaction):
        """The register has moved on: keep where it is for the case that the power goes."""
        wh = self._register.wh
        if wh is not None and wh > transaction.wh:
            transaction.wh = wh
        now = self._clock.ms()
        old = now - self._saved_ms >= self._settings.get("RunningStateInterval") * 1000
        # A vehicle that draws nothing has its time kept all the same: it is the clock's floor after a power cut.
        if transaction.wh - self._saved_wh >= _SAVE_WH or old:
            self._saved_wh = transaction.wh
            self._saved_ms = now
            try:
                self._journal.running.save(self._number, transaction.number, transaction.wh, self._clock.now())
            except OSError as exc:
                self._log.error(self._area, "running state is not kept: %s", exc)

    # -- samples

    def step(self):
        """Takes the samples that are due; to be called several times a second."""
        transaction = self._transaction
        if transaction and not transaction.stopping:
            seconds = (self._clock.ms() - transaction.begin_ms) // 1000
            interval = self._settings.get("MeterValueSampleInterval")
            if self._periodic.due(interval, seconds, transaction.number):
                self._sample("periodic")
        # Before the time is known there are no quarters of an hour to align with.
        if self._clock.synchronised:
            day, seconds = divmod(self._clock.now(), _DAY)
            interval = self._settings.get("ClockAlignedDataInterval")
            if self._aligned.due(interval, seconds):
                self._sample("clock", seconds % interval)

    def _sample(self, context, ago_s=0):
        reading = self.current()
        if reading is None:
            return
        if self._transaction:
            self._journal_sample(context, reading, ago_s)
        else:
            self._sampled.emit(self._number, context, self._clock.now() - ago_s, reading)

    def _journal_sample(self, context, reading, ago_s=0):
        tx = self._transaction.number
        try:
            self._journal.sample(tx, self._number, context, reading, self._evse.offered_ma, ago_s)
        except OSError as exc:
            self._log.error(self._area, "sample is not kept: %s", exc)

    def _clock_changed(self, delta_s, source):
        self._aligned.forget()
