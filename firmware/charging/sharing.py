"""Load sharing: divides a current among connectors (ChargePointMaxProfile, MaxCurrent).

Reductions apply at once. What a vehicle has to give up only goes to another one when its pilot has said so and it has
had the time to follow. What a vehicle does not use goes to those who can use it, in the same way: its pilot says less
first. As soon as it draws most of that, it has its even share again.
"""

from micropython import const

from firmware.charging.usage import RUNNING, phase
from firmware.evse.limits import MAX_PILOT_MA

# A vehicle has 5 s to draw less once its pilot says so (IEC 61851-1 table A.6 seq. 7).
_FOLLOW_MS = const(5_000)

# How long a vehicle is watched before it is offered less than its share: longer than it takes to begin or to ramp up.
_WATCH_MS = const(60_000)
_LOOK_MS = const(1_000)


class Sharing:
    """Sets the slot "station" in the limits of each connector."""

    def __init__(self, connectors, clock):
        self._places = [_Place(connector) for connector in connectors]
        self._clock = clock
        self._look_ms = 0
        self._change_ms = None  # when the first vehicle has followed

    def due(self):
        """Tells whether shares may have changed, so that share() has a reason; to be called several times a second."""
        now = self._clock.ms()
        changed = self._change_ms is not None and now >= self._change_ms
        if now >= self._look_ms:
            self._look_ms = now + _LOOK_MS
            for place in self._places:
                changed = place.look(now) or changed
        return changed

    def share(self, total, leasts):
        """Divides `total` mA among the connectors in use; `leasts` is {connector: lowest useful mA}.

        Where it is not enough for all, those whose vehicle draws come first, then the oldest transaction.
        """
        now = self._clock.ms()
        users = []
        total = max(0, total - sum(place.stray for place in self._places))
        self._change_ms = None
        for place in self._places:
            if place.follow(now) and (self._change_ms is None or place.until < self._change_ms):
                self._change_ms = place.until
            if place.in_use:
                users.append(place)
            else:
                place.enough = None
                place.limit(total)
                place.granted = 0
        users.sort(key=_Place.rank)
        leasts = [leasts[place.connector.number] for place in users]
        shares = _shares(total, users, leasts)
        for place, share in zip(users, shares):
            place.granted = min(place.granted, share)
        more = [max(0, share - place.taken) for share, place in zip(shares, users)]
        free = max(0, total - sum(place.taken for place in users))
        given = split(free, [(0, rise) for rise in more])
        for i, place in enumerate(users):
            place.limit(shares[i] - more[i] + given[i])


class _Place:
    """A connector, what its vehicle may draw at most, and what it has made of that."""

    def __init__(self, connector):
        self.connector = connector
        self.granted = 0  # mA of its share that it may take, which its pilot may not say yet
        self.until = 0  # ms; may draw `_held` mA until then
        self.enough = None  # mA; more than that it has not used of late. None: it takes all, or is not known
        self.shared = None  # the ceiling when the shares were made
        self.stray = 0  # mA that flow through contacts that do not open: not to be shared
        self._held = 0
        self._offered = 0
        self._peak = 0  # mA drawn at most since
        self._since = 0

    @property
    def in_use(self):
        connector = self.connector
        if self.stray:
            return False
        if connector.evse.charging or connector.evse.offered_ma:
            return True
        return phase(connector.usage) == RUNNING and not connector.transaction.suspended

    @property
    def taken(self):
        """mA that no other vehicle may have."""
        return max(self._offered, self._held, self.granted)

    @property
    def ceiling(self):
        """mA that could be used here if no other vehicle charged."""
        slots = self.connector.evse.limits.slots()
        return min([milliamps for milliamps, name in slots if name != "station"] + [MAX_PILOT_MA])

    def rank(self):
        transaction = self.connector.transaction
        return self.enough == 0, transaction is None, transaction.number if transaction else 0

    def limit(self, milliamps):
        self.granted = milliamps
        self.connector.evse.limits.set("station", milliamps)

    def follow(self, now):
        """Notes what the pilot says now. Tells whether the vehicle may still draw what it said before, see `until`."""
        evse = self.connector.evse
        before, self._offered = self._offered, evse.offered_ma
        if self.until <= now:
            self._held = 0
        if self._offered < before:
            self._held, self.until = max(self._held, before), now + _FOLLOW_MS
        # A vehicle without voltage begins anew with what its pilot says then.
        if not (evse.charging or self._offered):
            self._held = 0
        return self._held > 0

    def look(self, now):
        """Notes what the vehicle draws. Tells whether another current is enough for it now, or can be used."""
        changed = self._look(now)
        # A pause that is over shows nowhere else: its share was none.
        return changed or (self.in_use and self.ceiling != self.shared)

    def _look(self, now):
        evse = self.connector.evse
        offered = evse.offered_ma
        drawn = self._drawn()
        before = self.enough, self.stray
        if not any(fault.name == "contactor_welded" for fault in evse.faults):
            self.stray = 0
        elif drawn is not None:
            self.stray = (drawn + 999) // 1000 * 1000
        if not evse.charging:
            drawn = 0
        if offered and drawn is not None and drawn * 5 < offered * 4:
            self._peak = max(self._peak, drawn)
            if now - self._since < _WATCH_MS:
                return self.stray != before[1]
            self.enough = self._peak // 1000 * 1500  # whole amperes: a meter that flickers moves nothing
        elif offered:
            self.enough = None
        self._peak, self._since = 0, now
        return (self.enough, self.stray) != before

    def _drawn(self):
        """Returns the mA of the phase that carries most, None when it is not known."""
        reading = self.connector.metering.current()
        return max(reading.currents_ma) if reading and reading.currents_ma else None


def _shares(total, users, leasts):
    """Returns what each of the users is to have in the end: what is enough for them, then the rest evenly."""
    ceilings = []
    for place in users:
        place.shared = place.ceiling
        ceilings.append(place.shared)
    wants = []
    for place, least, most in zip(users, leasts, ceilings):
        wants.append((least, most if place.enough is None else min(most, max(least, place.enough))))
    shares = split(total, wants)
    rest = split(total - sum(shares), [(0, most - share if share else 0) for share, most in zip(shares, ceilings)])
    return [share + more for share, more in zip(shares, rest)]


def split(total, wants):
    """Returns a share in mA for each (least, most) of `wants`, in mA too; 0 where it is not enough for `least`.

    As many as possible are served, the first ones first; what is left over is divided evenly among those that can
    take more.
    """
    shares = []
    hungry = []
    for i, (least, most) in enumerate(wants):
        served = least <= total and least <= most
        shares.append(least if served else 0)
        total -= shares[-1]
        if served:
            hungry.append((most - least, i))
    hungry.sort()
    for k, (room, i) in enumerate(hungry):
        more = min(room, total // (len(hungry) - k))
        shares[i] += more
        total -= more
    return shares
