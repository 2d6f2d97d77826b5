"""Meter samples, periodic and clock-aligned, to the journal (MeterValueSampleInterval, ClockAlignedDataInterval).

Periodic ones at an interval from the begin of the transaction, clock-aligned ones at multiples of an interval from
midnight (UTC). An interval of 0 is off.
"""

from micropython import const

from firmware.kernel.reading import Reading

_DAY = const(86_400)


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


class Sampler:
    """Samples the meter of connector `number`; 0: all meters together, which have no transaction and no `evse`.

    `current()` returns the newest Reading, None without. `wanted()` tells whether samples outside of transactions have
    a reader.
    """

    def __init__(self, number, current, evse, services, wanted):
        self._number = number
        self._current = current
        self._evse = evse
        self._clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self._journal = services.journal
        self._wanted = wanted
        self._periodic = Slots()
        self._aligned = Slots()
        self._sampled_t = None
        services.clock.changed.connect(lambda delta_s, source: self._aligned.forget())

    def step(self, transaction, session):
        """Takes the samples that are due; to be called several times a second.

        `session` keeps the register of `transaction` on flash; that is None outside of one.
        """
        if transaction and not transaction.stopping:
            interval = self._settings.get("MeterValueSampleInterval")
            seconds = (self._clock.ms() - transaction.begin_ms) // 1000
            # A late sample just before this one has the same time: not twice.
            if self._periodic.due(interval, seconds, transaction.number) and self._now(transaction) != self._sampled_t:
                self._sampled_t = self._now(transaction)
                self._take_due(transaction, session, "periodic")
        # Before the time is known there are no quarters of an hour to align with.
        if self._clock.synchronised:
            now = self._now(transaction)
            interval = self._settings.get("ClockAlignedDataInterval")
            # A clock that was set in a transaction counts from its end on, which is no new quarter of an hour.
            moved = not -2 < self._clock.now() - now < 2
            if self._aligned.due(interval, now % _DAY, moved):
                self._take_due(transaction, session, "clock", now % _DAY % interval)

    def take(self, transaction, context, wh):
        """Samples the begin or the end of a transaction: the newest reading, else `wh` alone, as its record has it."""
        self._write(transaction, context, self._current() or Reading(energy_wh=wh))

    def _now(self, transaction):
        """Returns the time for a sample: in a transaction its begin plus what has elapsed."""
        return self._journal.time_in(transaction.number) if transaction else self._clock.now()

    def _take_due(self, transaction, session, context, ago_s=0):
        reading = self._current()
        if reading is None:
            return
        if transaction:
            session.secure()
        elif not (self._wanted() and self._settings.get("MeterValuesAlignedData")):
            return
        self._write(transaction, context, reading, ago_s)

    def _write(self, transaction, context, reading, ago_s=0):
        number = transaction.number if transaction else 0
        offered_ma = self._evse.offered_ma if self._evse else None
        try:
            self._journal.sample(number, self._number, context, reading, offered_ma, ago_s)
        except OSError as exc:
            self._log.error("meter %d" % self._number, "sample is not kept: %s", exc)
