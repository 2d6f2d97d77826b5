"""Installed charging profiles, and applying their limits at the right time.

Each connector gets two slots of its limits: "schedule" for the profile of its transaction (or the default for it) and
"station" for its share of what all connectors have together. Profiles are kept over restarts (OCPP 1.6 errata 3.37),
those of a transaction until it ends (§3.13.1). Without a link everything goes on as it is (§3.13.6).
"""

import json

from firmware.charging.composite import (
    TRANSACTION,
    Profile,
    composite,
    current_of,
    is_over,
    next_change,
    own_limit,
    station_limit,
    to_ma,
)
from firmware.charging.sharing import Sharing
from firmware.evse.limits import MIN_PILOT_MA


class Schedules:
    """`store` keeps a text (store.slots.Slots) or is None.

    profiles   installed ones, a list that is replaced and never changed
    begun      {connector: Unix seconds at which its transaction began, by the clock as it is now}
    """

    def __init__(self, connectors, services, store, transaction_changed):
        self._connectors = connectors
        self._clock = clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self._store = store
        self.begun = {}
        self._phases = {}  # connector -> phases that a profile has asked for
        self._change = None  # Unix seconds of the next change
        self._sharing = None
        if len(connectors) > 1:
            self._sharing = Sharing(connectors, clock)
        self.profiles = self._load()
        for connector in connectors:
            if connector.transaction:
                age_ms = clock.ms() - connector.transaction.begin_ms
                self.begun[connector.number] = clock.now() - age_ms // 1000
            if self._sharing:
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
            if profiles != self.profiles:  # a repeated profile costs no flash
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

    def composite(self, n, start, end, watts):
        """Returns the composite() of connector n, or for 0 of all together (§5.7), for Unix seconds `start` to `end`.

        Where nothing is installed the hardware's limit counts, so that there is always something.
        """
        ceilings = {c.number: c.evse.limits.get("supply") for c in self._connectors if n in (0, c.number)}
        if n == 0:
            ceilings[0] = self._settings.get("MaxCurrent")
        return composite(self.profiles, ceilings, self.begun, start, end, watts, self._settings.get("Phases"))

    # -- what they say now

    def step(self):
        """Applies the limits when the next change is due; to be called several times a second."""
        if self._change is not None and self._clock.now() >= self._change:
            self.apply()
        elif self._sharing and self._sharing.due():
            self.apply()

    def apply(self):
        """Sets the limits of all connectors as the profiles say it for this moment."""
        now = self._clock.now()
        profiles = self.profiles
        self._change = now  # what breaks off is done again with the next step
        station = station_limit(profiles, now)
        next_ = None
        leasts = {}
        for connector in self._connectors:
            n = connector.number
            begun = self.begun.get(n)
            limit, profile = own_limit(profiles, n, now, begun)
            _set(connector.evse.limits, "schedule", limit and to_ma(limit[0]))
            leasts[n] = _least(profile)
            self._ask_phases(connector, [x[1] for x in (limit, station) if x and x[1]])
            change = next_change(profiles, n, now, begun)
            if change is not None and (next_ is None or change < next_):
                next_ = change
        total = station and to_ma(station[0])
        if self._sharing:
            supply = self._settings.get("MaxCurrent")  # one for all of them
            self._sharing.share(supply if total is None else min(total, supply), leasts)
        else:
            _set(self._connectors[0].evse.limits, "station", total)
        self._change = next_

    def _ask_phases(self, connector, said):
        """One phase where a profile allows no more, and the station can switch; else all (§3.13.7)."""
        wanted = 1 if 1 in said else 3
        if wanted == self._phases.get(connector.number, 3):
            return
        if not self._settings.get("ConnectorSwitch3to1PhaseSupported", False):
            return
        self._phases[connector.number] = wanted
        connector.evse.wishes.phases = wanted

    # -- what happens

    def _transaction_changed(self, event, transaction):
        n = transaction.connector_id
        if event == "start":
            self.begun[n] = transaction.begin_t
            grant = transaction.grant
            profile, grant.profile = grant.profile, None
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


def _least(profile):
    """Returns the lowest useful current of a profile in mA."""
    if profile is None or profile.least is None:
        return MIN_PILOT_MA
    return max(MIN_PILOT_MA, to_ma(current_of(profile.least, profile.watts, 3)))


def _set(limits, name, milliamps):
    if milliamps is None:
        limits.clear(name)
    else:
        limits.set(name, milliamps)
