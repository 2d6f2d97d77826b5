"""Metering of one connector: polls the meter, guards its register, samples it, and remembers how far it got.

OCPP 1.6 §3.16: sampled values at an interval from the begin of the transaction, clock-aligned values at multiples of an
interval from midnight (UTC). An interval of 0 is off.
"""

from micropython import const

from firmware.charging.meter_direction import MeterDirection
from firmware.charging.register import DOUBTED, REBASED, WITHDRAWN, Register
from firmware.kernel.reading import Reading

_POLL_MS = const(1_000)
_WAKE_MS = const(50)  # how soon a request for a reading is noticed
_LOST_AFTER = const(3)  # polls without an answer
_DOUBT_POLL_MS = const(400)  # where a reading was not believed the next one comes soon
_DOUBTED_FOR_MS = const(10_000)  # a register that makes no sense for longer is none
_STALE_MS = const(15_000)  # a reading older than this is none

# The energy that a power cut may cost the journal, and the time: at first a few seconds, later an eighth of what the
# transaction has lasted, at most the setting RunningStateInterval.
SAVE_WH = 500
_SAVE_S = const(5)

_DAY = const(86_400)

# The supply's voltage at most: nominal and 10 % (EN 50160).
_MOST_V = const(253)
_TOLERATED_MA = const(500)  # (I + 0.5 A) x 1.10, as the EVSE does

# How long a reading may take: the line may be busy with another meter, and one time-out costs a second try. A meter
# that is slower than the usual time-out takes so much longer.
_READING_MS = const(2_500)
_USUAL_TIMEOUT_MS = const(300)
_WAITS = const(3)
_IN_DOUBT_MS = const(4_500)  # until a register that is elsewhere is back, or is known to stay there


class Slots:
    """Tells when a new multiple of an interval has begun. Changing the interval or `forget()` begins nothing."""

    def __init__(self):
        self._interval = None  # until it has been asked about
        self._key = None
        self._slot = None

    def due(self, interval, now, key=0):
        """`interval` and `now` in seconds (0: off); `key` is what `now` counts from (a transaction, a day)."""
        if interval <= 0:
            self.forget()
            return False
        slot = now // interval
        began = slot != self._slot and interval == self._interval and key == self._key
        self._interval = interval
        self._key = key
        self._slot = slot
        return began

    def forget(self):
        self._interval = None


def _most_w(settings):
    """Returns the most that a connector lets flow, W: what the over-current supervision tolerates."""
    most_ma = (settings.get("MaxCurrent") + _TOLERATED_MA) * 11 // 10
    return settings.get("Phases") * most_ma * _MOST_V // 1000


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
        self._register = Register(_most_w(settings), getattr(meter, "resolution_wh", 1))
        self._doubted_since = None
        self._direction = MeterDirection()
        self._transaction = None
        self._periodic = Slots()
        self._aligned = Slots()
        self._wanted = False
        self._failures = 0
        self._silent_since = 0
        self._failed = False
        self._read_at = None
        self._believed_at = None  # of the newest reading whose register was believed
        self._saved_wh = 0
        self._saved_ms = 0
        self._saved_t = None
        self._sampled_t = None
        self.newest = None
        self.lost = False
        self.polled_at = -1
        clock.changed.connect(self._clock_changed)
        settings.changed.connect(self._setting_changed)

    # -- reading the meter

    async def run(self, beat):
        """Polls for ever; a request is answered at once, otherwise about once a second."""
        while True:
            beat()
            self._wanted = False
            await self.poll()
            until = self._clock.ms() + (_DOUBT_POLL_MS if self._register.in_doubt else _POLL_MS)
            while not self._wanted and self._clock.ms() < until:
                await self._clock.sleep_ms(_WAKE_MS)

    async def poll(self):
        """Reads the meter once."""
        started = self._clock.ms()
        if self._meter is not None:
            try:
                reading = await self._meter.read()
                if reading.energy_wh is None:
                    raise OSError("no energy register")
            except OSError as exc:
                self._no_answer(exc)
            else:
                self._answer(reading, started)
        self.polled_at = started

    def request(self):
        """Asks for a reading as soon as possible; `polled_at` tells when it is there."""
        self._wanted = True

    def _answer(self, reading, started):
        if not self._take(reading, started):
            return self._no_answer(OSError("register makes no sense"))
        if self.lost:
            self.lost = self._failed = False
            self._log.info(self._area, "meter answers again")
            self._evse.clear_fault("meter_lost")
            self._evse.clear_fault("meter_failed")
        self._failures = 0
        reading.energy_wh = self._register.wh
        self.newest = reading
        self._read_at = started
        self._evse.set_meter(reading)
        self._look_at_direction(reading, started)
        if self._transaction:
            self._follow(self._transaction)

    def _take(self, reading, started):
        """Lets the register see a reading; returns False when it has made no sense for too long."""
        register = self._register
        shown = reading.energy_wh
        counting = self._transaction is not None
        was_in_doubt = register.in_doubt
        took_ms = self._clock.ms() - started
        event = register.take(shown, started, self._flow_w(reading), counting, took_ms)
        if event == DOUBTED:
            if not was_in_doubt:
                self._doubted_since = started
                self._log.warning(self._area, "%d Wh after %d cannot be", shown, register.wh - register.offset)
            return started - self._doubted_since < _DOUBTED_FOR_MS
        self._believed_at = started
        if event == REBASED:
            self._log.warning(self._area, "register stays at %d Wh, offset is now %d", shown, register.offset)
        elif event == WITHDRAWN:
            self._log.warning(self._area, "register is back at %d Wh, offset is %d", shown, register.offset)
        return True

    def _look_at_direction(self, reading, started):
        if not self._direction.see(reading, started, self._transaction is not None):
            return
        if self._direction.reversed:
            self._log.warning(self._area, "energy flows backwards: the meter is wired the wrong way round")
            self._evse.raise_fault("meter_reversed")
        else:
            self._evse.clear_fault("meter_reversed")

    def _flow_w(self, reading):
        """Returns the power in W that a reading tells of, or what may flow where the meter does not measure it."""
        if reading.power_w is not None:
            return reading.power_w
        if reading.currents_ma is not None and None not in reading.currents_ma:
            return sum(reading.currents_ma) * _MOST_V // 1000
        return self._register.supply_w if self._evse.charging else 0

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
    def register_known(self):
        """True once something is known of the register."""
        return self._register.wh is not None

    def most_wh(self, ms):
        """Returns the most that the supply can give in so many milliseconds, Wh."""
        return self._register.supply_w * ms // 3_600_000

    @property
    def unreadable(self):
        """True while nothing is known of the register although there is a meter."""
        return self._register.wh is None and self._meter is not None

    def answered_since(self, ms):
        """Tells whether a poll that was started at `ms` or later was answered, or that no meter would answer it."""
        if self.lost or self._meter is None:
            return self.polled_at >= ms
        return self._believed_at is not None and self._believed_at >= ms

    @property
    def in_doubt(self):
        """True while the meter shows a register that cannot be: it is not billed, unless it stays there."""
        return self._register.in_doubt and not self.lost

    @property
    def patience_ms(self):
        """How long it makes sense to wait for a reading that is believed, ms."""
        wait_ms = _READING_MS + _WAITS * max(0, self._settings.get("MeterTimeout") - _USUAL_TIMEOUT_MS)
        return wait_ms + (_IN_DOUBT_MS if self.in_doubt else 0)

    def assume(self, wh):
        """The register was known to be at `wh` before a restart: that counts until the meter answers."""
        self._register.assume(wh)

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
        """A transaction begins, its begin record is written: sample it and count from here.

        Saying so again changes nothing.
        """
        if self._transaction is transaction:
            return
        self._transaction = transaction
        begin_wh = None if self.unreadable else transaction.begin_wh
        self._register.assume(transaction.begin_wh)
        self._saved_wh = transaction.begin_wh
        self._saved_ms = self._clock.ms()
        self._saved_t = transaction.begin_t
        self._journal_sample(transaction, "begin", self._at(begin_wh))

    def end(self, transaction):
        """A transaction ends, its end record is not yet written. Saying so again changes nothing."""
        if self._transaction is transaction:
            reading = self._at(transaction.end_wh)
            self._transaction = None
            self._register.close()
            self._journal_sample(transaction, "end", reading)

    def _at(self, wh):
        """Returns the newest reading for a value `wh` that another record carries as well."""
        return self.current() or Reading(energy_wh=wh)

    def _follow(self, transaction):
        """The register has moved on."""
        wh = self._register.wh
        if wh is not None and wh > transaction.wh:
            transaction.wh = wh
        if transaction.wh - self._saved_wh >= SAVE_WH:
            self._save(transaction)

    def _save_when_due(self, transaction):
        # A vehicle that draws nothing has its time kept all the same: it ends there when the power goes.
        now = self._clock.ms()
        waited_s = (now - self._saved_ms) // 1000
        if waited_s < _SAVE_S:
            return
        wait_s = _SAVE_S + (now - transaction.begin_ms) // 8_000
        if waited_s >= min(wait_s, self._settings.get("RunningStateInterval")):
            self._save(transaction)

    def secure(self):
        """Keeps register and time of the transaction on flash, before they are told to anybody: no end may lie before
        them."""
        transaction = self._transaction
        if transaction and (transaction.wh > self._saved_wh or self._now() != self._saved_t):
            self._save(transaction)

    def _save(self, transaction):
        self._saved_wh = transaction.wh
        self._saved_ms = self._clock.ms()
        self._saved_t = self._now()
        try:
            self._journal.save_running(transaction.number, self._number, transaction.wh)
        except OSError as exc:
            self._log.error(self._area, "running state is not kept: %s", exc)

    # -- samples

    def step(self):
        """Takes the samples that are due; to be called several times a second."""
        transaction = self._transaction
        if transaction:
            self._save_when_due(transaction)
            if not transaction.stopping:
                seconds = (self._clock.ms() - transaction.begin_ms) // 1000
                interval = self._settings.get("MeterValueSampleInterval")
                # One that came late, just before this one is due, is not told twice.
                if self._periodic.due(interval, seconds, transaction.number) and self._now() != self._sampled_t:
                    self._sampled_t = self._now()
                    self._sample("periodic")
        # Before the time is known there are no quarters of an hour to align with.
        if self._clock.synchronised:
            now = self._now()
            seconds = now % _DAY
            interval = self._settings.get("ClockAlignedDataInterval")
            # A clock that was set in a transaction counts from its end on, which is no new quarter of an hour.
            moved = not -2 < self._clock.now() - now < 2
            if self._aligned.due(interval, seconds, moved):
                self._sample("clock", seconds % interval)

    def _now(self):
        """Returns the time for a sample: in a transaction its begin plus what has elapsed."""
        return self._journal.time_in(self._transaction.number) if self._transaction else self._clock.now()

    def _sample(self, context, ago_s=0):
        reading = self.current()
        if reading is None:
            return
        if self._transaction:
            self.secure()
            self._journal_sample(self._transaction, context, reading, ago_s)
        else:
            self._sampled.emit(self._number, context, self._clock.now() - ago_s, reading)

    def _journal_sample(self, transaction, context, reading, ago_s=0):
        try:
            self._journal.sample(transaction.number, self._number, context, reading, self._evse.offered_ma, ago_s)
        except OSError as exc:
            self._log.error(self._area, "sample is not kept: %s", exc)

    def _clock_changed(self, delta_s, source):
        self._aligned.forget()

    def _setting_changed(self, name):
        if name == "MaxCurrent":
            # The vehicle takes some seconds to follow a supply that has become smaller.
            self._register.supply_w = max(self._register.supply_w, _most_w(self._settings))
