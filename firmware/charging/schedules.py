"""The charging profiles of the station: which are installed, and that their limits apply from the right moment on.

Each connector gets two slots of its limits: "schedule" for the profile of its transaction (or the default for it) and
"station" for its share of what all connectors have together. Profiles are kept over restarts (OCPP 1.6 errata 3.37),
those of a transaction until it ends (§3.13.1). Without a link everything goes on as it is (§3.13.6).
"""

import json

from micropython import const

from firmware.charging.composite import (
    TRANSACTION,
    Profile,
    current_of,
    is_over,
    next_change,
    own_limit,
    station_limit,
    to_ma,
)
from firmware.charging.sharing import split
from firmware.charging.status import RUNNING
from firmware.evse.limits import MAX_PILOT_MA, MIN_PILOT_MA
from firmware.store.settings import UnknownSetting

# A vehicle has 5 s to draw less once its pilot says so (IEC 61851-1 table A.6 seq. 7); until then nobody else may have
# what it gives up.
_FOLLOW_MS = const(6_000)


class Schedules:
    """`store` keeps a text (store.slots.Slots) or is None.

    profiles   installed ones, a list that is replaced and never changed
    begun      {connector: Unix seconds at which its transaction began, by the clock as it is now}
    """

    def __init__(self, connectors, clock, log, settings, store, transaction_changed):
        self._connectors = connectors
        self._clock = clock
        self._log = log
        self._settings = settings
        self._store = store
        self.begun = {}
        self._phases = {}  # connector -> phases that a profile has asked for
        self._offered = {}  # connector -> mA that its pilot signalled when last looked at
        self._following = {}  # connector -> (mA, ms): its vehicle may still draw as much until then
        self._change = None  # Unix seconds of the next change
        self._change_ms = None  # when the first vehicle has followed
        self.profiles = self._load()
        for connector in connectors:
            if connector.transaction:
                age_ms = clock.ms() - connector.transaction.begin_ms
                self.begun[connector.number] = clock.now() - age_ms // 1000
            if len(connectors) > 1:
                connector.evse.contactor_changed.connect(self._evse_changed)
                connector.evse.pilot_changed.connect(self._evse_changed)
        transaction_changed.connect(self._transaction_changed)
        clock.changed.connect(self._clock_changed)
        self.apply()

    # -- profiles

    def install(self, profile):
        """Adds a Profile; one with its number, or of its purpose, level and connector, gives way (§5.16.3).

        Returns False when it is for a transaction that does not run, when there is no room for it, or when the flash
        refuses; then nothing has changed.
        """
        if profile.purpose == TRANSACTION and not self._runs(profile):
            return False
        return self.has_room(profile) and self._replace(self._beside(profile) + [profile])

    def has_room(self, profile):
        """Tells whether there would be no more than MaxChargingProfilesInstalled with it."""
        return len(self._beside(profile)) < self._settings.get("MaxChargingProfilesInstalled")

    def _beside(self, profile):
        """Returns the profiles that would stay beside a new one; those that are over only where there is room."""
        kept = [p for p in self.profiles if p.number != profile.number and p[1:4] != profile[1:4]]
        if len(kept) >= self._settings.get("MaxChargingProfilesInstalled"):
            now = self._clock.now()
            kept = [p for p in kept if not is_over(p, now)]
        return kept

    def clear(self, number=None, connector=None, purpose=None, level=None):
        """Removes the profiles that match all that is given; a number decides alone (errata 3.25, 3.26).

        Returns False when there were none. Raises OSError when the flash refuses; then nothing has changed.
        """
        kept = []
        for p in self.profiles:
            matches = p.number == number
            if number is None:
                matches = connector in (None, p.connector) and purpose in (None, p.purpose) and level in (None, p.level)
            if not matches:
                kept.append(p)
        if len(kept) == len(self.profiles):
            return False
        if not self._replace(kept):
            raise OSError("profiles not stored")
        return True

    def forget_ended(self):
        """Removes the profiles of transactions that have ended (§3.13.1)."""
        kept = [p for p in self.profiles if p.purpose != TRANSACTION or self._runs(p)]
        if len(kept) != len(self.profiles) and not self._replace(kept):
            self.profiles = kept

    def _runs(self, profile):
        for connector in self._connectors:
            transaction = connector.transaction
            if connector.number == profile.connector and transaction and not transaction.stopping:
                return transaction.number == profile.transaction
        return False

    def _replace(self, profiles):
        try:
            if profiles != self.profiles:  # whoever repeats himself costs no flash
                self._save(profiles)
        except OSError as exc:
            self._log.error("schedule", "profiles not stored: %s", exc)
            return False
        self.profiles = profiles
        self.apply()
        return True

    def _load(self):
        text = self._store.load() if self._store else None
        try:
            return [Profile(*(row[:-1] + [tuple(row[-1])])) for row in json.loads(text or "[]")]
        except (TypeError, ValueError, IndexError) as exc:
            self._log.error("schedule", "stored profiles make no sense: %s", exc)
            return []

    def _save(self, profiles):
        if self._store:
            rows = [list(profile) for profile in profiles]
            self._store.save(json.dumps(rows, separators=(",", ":")) if rows else "")

    # -- what they say now

    def step(self):
        """Applies the limits when the next change is due; to be called several times a second."""
        if self._change is not None and self._clock.now() >= self._change:
            self.apply()
        elif self._change_ms is not None and self._clock.ms() >= self._change_ms:
            self.apply()

    def apply(self):
        """Sets the limits of all connectors as the profiles say it for this moment."""
        now = self._clock.now()
        profiles = self.profiles
        station = station_limit(profiles, now)
        self._change = None
        leasts = {}
        for connector in self._connectors:
            n = connector.number
            begun = self.begun.get(n)
            limit, profile = own_limit(profiles, n, now, begun)
            _set(connector.evse.limits, "schedule", limit and to_ma(limit[0]))
            leasts[n] = _least(profile)
            self._ask_phases(connector, [x[1] for x in (limit, station) if x and x[1]])
            change = next_change(profiles, n, now, begun)
            if change is not None and (self._change is None or change < self._change):
                self._change = change
        total = station and to_ma(station[0])
        if len(self._connectors) > 1:  # one supply for all of them
            supply = self._settings.get("MaxCurrent")
            total = supply if total is None else min(total, supply)
        self._share(total, leasts)

    def _ask_phases(self, connector, said):
        """One phase where a profile allows no more, and the station can switch; else all (§3.13.7)."""
        wanted = 1 if 1 in said else 3
        if wanted == self._phases.get(connector.number, 3):
            return
        try:
            if not self._settings.get("ConnectorSwitch3to1PhaseSupported"):
                return
        except UnknownSetting:
            return
        self._phases[connector.number] = wanted
        connector.evse.set_phases(wanted)

    def _share(self, total, leasts):
        """Divides `total` mA (None: no limit) among the connectors in use, the oldest transaction first.

        What one connector has to give up only goes to another when its pilot has said so and its vehicle has had the
        time to follow.
        """
        users = []
        if total is not None and len(self._connectors) > 1:
            users = [c for c in self._connectors if c.evse.charging or c.evse.offered_ma or _may_charge(c)]
        for connector in self._connectors:
            if connector not in users:
                _set(connector.evse.limits, "station", total)
        users.sort(key=lambda c: (c.transaction is None, c.transaction.number if c.transaction else 0))
        shares = split(total, [(leasts[c.number], _ceiling(c.evse.limits)) for c in users])
        free = total
        taken = []
        self._watch_offers()
        for connector in users:
            held = self._following.get(connector.number, (0, 0))[0]
            taken.append(max(connector.evse.offered_ma, held))
            free -= taken[-1]
        for connector, share, held in zip(users, shares, taken):
            more = max(0, share - held)
            given = min(more, max(0, free))
            free -= given
            _set(connector.evse.limits, "station", share - more + given)

    def _watch_offers(self):
        """Notes which vehicles have been offered less a moment ago, and when the first of them has followed."""
        now = self._clock.ms()
        self._change_ms = None
        for connector in self._connectors:
            n, evse = connector.number, connector.evse
            before, offered = self._offered.get(n, 0), evse.offered_ma
            level, until = self._following.pop(n, (0, 0))
            if offered < before:
                level, until = max(level, before), now + _FOLLOW_MS
            self._offered[n] = offered
            # A vehicle without voltage begins anew with what its pilot says then.
            if until > now and (evse.charging or offered):
                self._following[n] = (level, until)
                if self._change_ms is None or until < self._change_ms:
                    self._change_ms = until

    # -- what happens

    def _transaction_changed(self, event, transaction):
        n = transaction.connector_id
        if event == "start":
            self.begun[n] = transaction.begin_t
            profile, transaction.profile = transaction.profile, None
            if profile and self.install(_bound(profile, n, transaction.number)):
                return
        else:
            self.begun.pop(n, None)
            self.forget_ended()
        self.apply()

    def _clock_changed(self, delta, source):
        for n in self.begun:
            self.begun[n] += delta
        self.apply()

    def _evse_changed(self, *_):
        self.apply()


def _bound(profile, connector, transaction):
    """Returns a profile that came with a remote start as that of the transaction which it has become (errata 3.42)."""
    return Profile(*((profile.number, connector) + profile[2:4] + (transaction,) + profile[5:]))


def _may_charge(connector):
    return connector.session == RUNNING and not connector.transaction.suspended


def _least(profile):
    """Returns the mA below which charging makes no sense."""
    if profile is None or profile.least is None:
        return MIN_PILOT_MA
    return max(MIN_PILOT_MA, to_ma(current_of(profile.least, profile.watts, 3)))


def _ceiling(limits):
    """Returns the mA that a connector could use if the station had no limit."""
    return min([milliamps for milliamps, name in limits.slots() if name != "station"] + [MAX_PILOT_MA])


def _set(limits, name, milliamps):
    if milliamps is None:
        limits.clear(name)
    else:
        limits.set(name, milliamps)
