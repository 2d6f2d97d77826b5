"""A meter that is wired the wrong way round: it counts what the vehicle draws as export, and nothing is billed."""

from micropython import const

_LOAD_W = const(50)  # less in either direction says nothing
_REVERSED_MS = const(60_000)


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


def _grown(wh, before):
    return wh is not None and before is not None and wh > before
