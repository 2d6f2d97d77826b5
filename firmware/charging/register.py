"""Plausibility of the energy register: which readings are accepted, and what they add to the bill.

A meter, its gateway or a frame that is wrong with a right checksum may show anything. What cannot have flowed is not
believed: more than the supply could have given since the last believed reading, or less than before (OCPP 1.6 erratum
3.77). Pure logic in integers: Wh, W and milliseconds of one clock that is handed in.
"""

from micropython import const

# What take() returns
BELIEVED = const(0)
DOUBTED = const(1)  # shown, but it counts for nothing so far
REBASED = const(2)  # the register stays elsewhere: it counts on from there, the jump does not count
WITHDRAWN = const(3)  # it is back where it was: that rebasing is undone

# A register that shows consistent values elsewhere for so many readings and so long stays there.
_STAYS_READINGS = const(3)
_STAYS_MS = const(3_000)

# After a longer silence much may have flowed, and one wrong reading looks right: a second one has to agree. Nor is
# what flowed in it known well enough to be estimated.
_SILENCE_MS = const(30_000)

_LAG_MS = const(1_000)  # a meter renews its registers about so often, at any time between two readings
_POLL_MS = const(1_000)  # a drop by what flows in this time is noise: the register will catch up
_RETURN_MS = const(2_000)  # of the flow around two jumps nothing measured so much
_STANDSTILL_MS = const(600_000)  # energy that a register may have missed while it stood still elsewhere

_PLACES = const(3)  # earlier places of the register that are remembered in a transaction
_WMS_PER_WH = const(3_600_000)


class _Place:
    """Where the register was: it showed `raw` at `ms`, when `power_w` flowed; the bill was by `offset` more."""

    def __init__(self, raw, ms, offset, power_w):
        self.raw = raw
        self.ms = ms
        self.offset = offset
        self.power_w = power_w


class _Strange:
    """Readings in a row that are not believed but follow each other; `jumped`: the first one was impossible."""

    def __init__(self, raw, ms, jumped):
        self.first = self.raw = raw
        self.since = self.ms = ms
        self.jumped = jumped
        self.count = 1


class Register:
    """An energy register as it is billed.

    wh             the believed value, None before the first; while counting it only grows
    supply_w       most that can flow, W
    resolution_wh  step of the register, Wh
    offset         `wh` less what the meter shows, Wh: not 0 after a jump in a transaction, until close()
    in_doubt       the newest reading is not believed (yet)
    """

    def __init__(self, supply_w, resolution_wh=1):
        self.supply_w = supply_w
        self.wh = None
        self.offset = 0
        self._resolution_wh = resolution_wh
        self._raw = None  # the newest believed reading, and when it was asked for
        self._ms = 0
        self._power_w = 0  # at that time
        self._pending = 0  # W * ms that the power says have flowed since the register moved last
        self._strange = None
        self._earlier = []  # _Places that a transaction has left, and may come back to
        self._moved = True  # since the last change of place

    @property
    def in_doubt(self):
        return self._strange is not None

    def take(self, raw, ms, power_w=0, counting=True, took_ms=0):
        """Takes a reading of `raw` Wh, asked for at `ms`, that took `took_ms`; returns what came of it.

        `power_w` is what the meter says flows. `counting`: within a transaction.
        """
        if self._raw is None:
            return self._first(raw, ms, power_w, counting)
        if raw == self._raw and self._strange is None:  # most readings of a station that waits
            return self._believe(raw, ms, power_w, counting)
        now = ms + took_ms
        strange = self._strange
        follows = strange is not None and self._may_follow(strange.raw, strange.ms, raw, now, 0, self._step(raw))
        if self._may_follow(self._raw, self._ms, raw, now, self._pending, self._noise(raw)):
            # A jump upwards does not become right by waiting until so much could have flowed.
            if not (follows and strange.jumped and strange.first > self._raw):
                if follows or ms - self._ms <= _SILENCE_MS or raw - self._raw <= self._noise(raw):
                    return self._believe(raw, ms, power_w, counting)
                self._strange = _Strange(raw, ms, False)
                return DOUBTED
        if not follows:
            self._strange = _Strange(raw, ms, True)
            return DOUBTED
        strange.raw = max(strange.raw, raw)
        strange.ms = ms
        strange.count += 1
        place = self._place_of(raw, now, power_w)
        if place:
            return self._return(place, raw, ms, power_w)
        if strange.count >= _STAYS_READINGS and ms - strange.since >= _STAYS_MS:
            return self._rebase(strange, power_w, counting)
        return DOUBTED

    def assume(self, wh):
        """Counting begins at `wh` although the meter has not been read: what it shows first is taken for that."""
        if self.wh is None:
            self.wh = wh

    def most_wh(self, ms):
        """Returns the most that the supply can give in so many milliseconds, Wh."""
        return self.supply_w * ms // _WMS_PER_WH

    def close(self):
        """Counting is over: from here on `wh` is what the meter shows, None if it never answered."""
        self.wh = self._raw
        self.offset = 0
        self._earlier = []

    # -- inside

    def _step(self, raw):
        """Returns the register's step in Wh: that of the meter, or of the 24 bits of a float in Wh or kWh."""
        return max(self._resolution_wh, raw >> 23)

    def _noise(self, raw):
        return self.supply_w * _POLL_MS // _WMS_PER_WH + self._step(raw)

    def _may_follow(self, before, before_ms, raw, now, pending, noise):
        """Tells whether a register that showed `before` at `before_ms` can show `raw` by now."""
        step = raw - before
        if step < 0:
            return -step <= noise
        most = (self.supply_w * (now - before_ms + _LAG_MS) + pending) // _WMS_PER_WH + self._step(raw)
        return step <= most

    def _first(self, raw, ms, power_w, counting):
        if counting and self.wh is not None:
            self.offset = self.wh - raw
        else:
            self.wh = raw
        self._at(raw, ms, power_w)
        return BELIEVED

    def _at(self, raw, ms, power_w):
        self._raw = raw
        self._ms = ms
        self._power_w = max(0, min(power_w, self.supply_w))
        self._pending = 0
        self._strange = None

    def _believe(self, raw, ms, power_w, counting):
        pending = self._pending + self._power_w * min(ms - self._ms, _SILENCE_MS)
        if raw > self._raw or not counting and raw != self._raw:
            self._moved = True
            pending = 0
        elif counting:
            raw = self._raw  # noise: the bill waits until the register has caught up
        self._at(raw, ms, power_w)
        self._pending = pending
        self.wh = max(self.wh, raw + self.offset) if counting else raw + self.offset
        return BELIEVED

    def _rebase(self, strange, power_w, counting):
        if counting:
            self._leave()
            # Between the last believed reading and the first one here no register has counted: the power did.
            gap_ms = strange.since - self._ms
            missed = self._pending + self._power_w * gap_ms if gap_ms <= _SILENCE_MS else 0
            self.offset = self.wh + missed // _WMS_PER_WH - strange.first
            self.wh = strange.raw + self.offset
            self._moved = strange.raw > strange.first
        else:
            self.offset = 0
            self._earlier = []
            self.wh = strange.raw
        self._at(strange.raw, strange.ms, power_w)
        return REBASED

    def _leave(self):
        self._earlier = self._earlier[1 - _PLACES :] + [_Place(self._raw, self._ms, self.offset, self._power_w)]

    def _place_of(self, raw, now, power_w):
        """Returns the earlier _Place where the register would show `raw` by now if it had never left, or None."""
        found = None
        for place in self._earlier:
            gain = raw + place.offset - self.wh
            if self._moved:  # it has counted elsewhere what has flowed since
                missed_ms = now - self._ms + _RETURN_MS
            else:
                missed_ms = min(now - place.ms, _STANDSTILL_MS)
            watts = min(max(place.power_w, power_w, self._power_w), self.supply_w)
            # A quarter more: the power changes between two readings.
            if -self._noise(raw) <= gain <= watts * missed_ms // _WMS_PER_WH * 5 // 4 + self._step(raw) + 1:
                if found is None or abs(gain) < abs(raw + found.offset - self.wh):
                    found = place
        return found

    def _return(self, place, raw, ms, power_w):
        self._earlier.remove(place)
        self._leave()
        self.offset = place.offset
        self.wh = max(self.wh, raw + self.offset)
        self._moved = raw > place.raw
        self._at(raw, ms, power_w)
        return WITHDRAWN
