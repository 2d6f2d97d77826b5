"""Meter faults: lost, failed, wired backwards, standing register."""

from micropython import const

_LOST_AFTER = const(3)  # polls without an answer
_DOUBTED_FOR_MS = const(10_000)  # after that, implausible readings count as no answer

_LOAD_W = const(50)  # less in either direction says nothing
_REVERSED_MS = const(60_000)
_STANDING_WS = const(1_800_000)  # 500 Wh: some meters count in steps of 100 Wh
_NOMINAL_V = const(230)


class MeterHealth:
    """Raises and clears the meter's faults on its EVSE. `lost`: the meter does not answer."""

    def __init__(self, area, evse, services):
        self._area = area
        self._evse = evse
        self._clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self._direction = MeterDirection()
        self._count = MeterCount()
        self._failures = 0
        self._silent_since = 0
        self._failed = False  # lost for MeterLossTimeout
        self._doubted_since = 0
        self.lost = False

    def answered(self, reading, started, counting):
        """The meter has given a kernel.reading.Reading, asked for at `started` ms; `counting`: in a transaction."""
        if self.lost:
            self.lost = self._failed = False
            self._log.info(self._area, "meter answers again")
            self._evse.clear_fault("meter_lost")
            self._evse.clear_fault("meter_failed")
        self._failures = 0
        if self._direction.see(reading, started, counting):
            self._warn("meter_reversed", self._direction.reversed, "energy flows backwards: the meter is miswired")
        if self._count.see(reading, started, counting):
            self._warn("meter_standing", self._count.standing, "power flows, but the energy register does not move")

    def _warn(self, fault, on, text):
        if on:
            self._log.warning(self._area, text)
            self._evse.raise_fault(fault)
        else:
            self._evse.clear_fault(fault)

    def silent(self, exc, never_answered):
        """The meter has given none."""
        now = self._clock.ms()
        self._failures += 1
        if self._failures == 1:
            self._silent_since = now
        code = _failure(exc, never_answered)
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

    def believed(self, started):
        """The register was believed until `started` ms."""
        self._doubted_since = started

    def may_doubt(self, started):
        """Tells whether a reading that is not believed still counts as an answer."""
        return started - self._doubted_since < _DOUBTED_FOR_MS


def _failure(exc, never_answered):
    """Returns the vendorErrorCode of a meter that gives no reading."""
    if getattr(exc, "code", None) is not None:  # of a modbus_rtu.ModbusError
        return "METER FAULTED"
    return "METER NOT_PRESENT" if never_answered else "METER TIMEOUT"


class MeterDirection:
    """Watches the direction of the power in a session. `reversed`: for a minute energy has gone the wrong way.

    One phase is enough: the total of a three-phase meter is then too low. It is over when power flows the right way.
    """

    def __init__(self):
        self.reversed = False
        self._since = None  # power the wrong way without a break since
        self._import_wh = self._export_wh = None  # of the newest reading

    def see(self, reading, now_ms, charging):
        """Takes a kernel.reading.Reading; `charging`: in a session. Returns True when `reversed` has changed."""
        backwards, forwards = self._look(reading)
        before = self.reversed
        if not charging or not backwards:
            self._since = None
            self.reversed = before and not forwards
            return self.reversed != before
        if self._since is None:
            self._since = now_ms
        self.reversed = before or now_ms - self._since >= _REVERSED_MS
        return self.reversed != before

    def _look(self, reading):
        """Returns (some power goes the wrong way, some goes the right way and none the wrong one)."""
        powers = [power for power in (reading.powers_w or ()) + (reading.power_w,) if power is not None]
        if powers:
            backwards = min(powers) <= -_LOAD_W
            return backwards, not backwards and max(powers) >= _LOAD_W
        # A meter without powers still says which register counts; it may take a while from one Wh to the next.
        forwards = _grown(reading.energy_wh, self._import_wh)
        backwards = not forwards and (_grown(reading.export_wh, self._export_wh) or self._since is not None)
        self._import_wh, self._export_wh = reading.energy_wh, reading.export_wh
        return backwards, forwards


class MeterCount:
    """Watches that the register counts the power of a session. `standing`: it did not move while 500 Wh flowed."""

    def __init__(self):
        self.standing = False
        self._energy_wh = None  # of the newest reading
        self._seen_ms = 0
        self._flowed_ws = 0  # since the register has moved last

    def see(self, reading, now_ms, charging):
        """Takes a kernel.reading.Reading; `charging`: in a session. Returns True when `standing` has changed."""
        before = self.standing
        if reading.energy_wh != self._energy_wh or not charging:
            self._energy_wh = reading.energy_wh
            self._flowed_ws = 0
            self.standing = before and not charging
        else:
            self._flowed_ws += _watts(reading) * (now_ms - self._seen_ms) // 1000
            self.standing = before or self._flowed_ws >= _STANDING_WS
        self._seen_ms = now_ms
        return self.standing != before


def _watts(reading):
    """Returns the measured power in W, from the currents where the meter has no power; 0 when it has neither."""
    if reading.power_w is not None:
        return abs(reading.power_w)
    return sum([milliamps or 0 for milliamps in reading.currents_ma or ()]) * _NOMINAL_V // 1000


def _grown(wh, before):
    return wh is not None and before is not None and wh > before
