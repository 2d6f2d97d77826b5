"""Metering of one connector: polls the meter, checks the register that is billed."""

from micropython import const

from firmware.charging.meter_health import MeterHealth
from firmware.charging.register import DOUBTED, REBASED, WITHDRAWN, Register

_POLL_MS = const(1_000)
_WAKE_MS = const(50)  # how soon a request for a reading is noticed
_DOUBT_POLL_MS = const(400)  # after a reading that was not believed
_STALE_MS = const(15_000)  # a reading older than this is none

# The supply's voltage at most: nominal and 10 % (EN 50160).
_MOST_V = const(253)
_TOLERATED_MA = const(500)  # (I + 0.5 A) x 1.10, as the EVSE does

# How long a reading may take: the line may be busy with another meter, and one time-out costs a second try. A meter
# that is slower than the usual time-out takes so much longer.
_READING_MS = const(2_500)
_USUAL_TIMEOUT_MS = const(300)
_WAITS = const(3)
_IN_DOUBT_MS = const(4_500)  # until a register that jumped is back, or is known to stay


def _most_w(settings):
    """Returns the most that a connector lets flow, W: what the over-current supervision tolerates."""
    most_ma = (settings.get("MaxCurrent") + _TOLERATED_MA) * 11 // 10
    return settings.get("Phases") * most_ma * _MOST_V // 1000


class Metering:
    """Polls one meter about once a second; `meter` has async read() -> Reading (OSError), or is None: none fitted.

    number    of the connector
    register  the guarded Register
    counting  within a transaction
    newest    newest Reading, its energy the guarded register; None before the first
    polled_at ms at which the newest completed poll was started, answered or not
    """

    def __init__(self, number, meter, evse, services):
        self.number = number
        self._meter = meter
        self._evse = evse
        self._clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self._health = MeterHealth("meter %d" % number, evse, services)
        self.register = Register(_most_w(services.settings), getattr(meter, "resolution_wh", 1))
        self.counting = False
        self._wanted = False
        self._read_at = None
        self._believed_at = None  # of the newest reading whose register was believed
        self.newest = None
        self.polled_at = -1
        services.settings.changed.connect(self._setting_changed)

    # -- reading the meter

    async def run(self, beat):
        """Polls for ever; a request is answered at once, otherwise about once a second."""
        while True:
            beat()
            self._wanted = False
            await self.poll()
            until = self._clock.ms() + (_DOUBT_POLL_MS if self.register.in_doubt else _POLL_MS)
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
                if not self._take(reading, started):
                    raise OSError("implausible register")
            except OSError as exc:
                self._health.silent(exc, self.newest is None)
            else:
                self._answer(reading, started)
        self.polled_at = started

    def request(self):
        """Asks for a reading as soon as possible; `polled_at` tells when it is there."""
        self._wanted = True

    def _answer(self, reading, started):
        reading.energy_wh = self.register.wh
        self.newest = reading
        self._read_at = started
        self._evse.set_meter(reading)
        self._health.answered(reading, started, self.counting)

    def _take(self, reading, started):
        """Passes a reading to the register; returns False when it has been implausible for too long."""
        register = self.register
        shown = reading.energy_wh
        if not register.in_doubt:
            self._health.believed(started)
        was_in_doubt = register.in_doubt
        event = register.take(shown, started, self._flow_w(reading), self.counting, self._clock.ms() - started)
        if event == DOUBTED:
            if not was_in_doubt:
                self._warn("%d Wh after %d cannot be", shown, register.wh - register.offset)
            return self._health.may_doubt(started)
        self._believed_at = started
        if event == REBASED:
            self._warn("register stays at %d Wh, offset is now %d", shown, register.offset)
        elif event == WITHDRAWN:
            self._warn("register is back at %d Wh, offset is %d", shown, register.offset)
        return True

    def _warn(self, text, *args):
        self._log.warning("meter %d" % self.number, text, *args)

    def _flow_w(self, reading):
        """Returns the power in W that a reading has, or what may flow where the meter does not measure it."""
        if reading.power_w is not None:
            return reading.power_w
        if reading.currents_ma is not None and None not in reading.currents_ma:
            return sum(reading.currents_ma) * _MOST_V // 1000
        return self.register.supply_w if self._evse.charging else 0

    # -- what is known

    @property
    def register_wh(self):
        """The guarded register, Wh; the last known value while the meter is lost, 0 when there never was one."""
        return self.register.wh or 0

    @property
    def unreadable(self):
        """True while nothing is known of the register although there is a meter."""
        return self.register.wh is None and self._meter is not None

    def answered_since(self, ms):
        """Tells whether a poll that was started at `ms` or later was answered, or that no meter would answer it."""
        if self._health.lost or self._meter is None:
            return self.polled_at >= ms
        return self._believed_at is not None and self._believed_at >= ms

    @property
    def in_doubt(self):
        """True while the meter shows a register that cannot be: it is not billed, unless it stays there."""
        return self.register.in_doubt and not self._health.lost

    @property
    def patience_ms(self):
        """How long it makes sense to wait for a reading that is believed, ms."""
        wait_ms = _READING_MS + _WAITS * max(0, self._settings.get("MeterTimeout") - _USUAL_TIMEOUT_MS)
        return wait_ms + (_IN_DOUBT_MS if self.in_doubt else 0)

    @property
    def settled(self):
        """True when the register is known, or when there is no hope that waiting makes it known."""
        return self.newest is not None or self._health.lost or self._meter is None

    def current(self):
        """Returns the newest Reading if it is not stale, or None."""
        if self.newest is None or self._clock.ms() - self._read_at > _STALE_MS:
            return None
        return self.newest

    # -- transaction

    def count_from(self, wh):
        """A transaction begins, its begin record is written: from here on the register only grows."""
        self.counting = True
        self.register.assume(wh)

    def stop_counting(self):
        """A transaction ends: the register is what the meter shows."""
        self.counting = False
        self.register.close()

    def _setting_changed(self, name):
        if name == "MaxCurrent":
            # The vehicle takes some seconds to follow a supply that has become smaller.
            self.register.supply_w = max(self.register.supply_w, _most_w(self._settings))
