"""Charging profile arithmetic: the limit at a moment, composite schedule. Pure functions.

OCPP 1.6 §3.13, §5.7, §5.16. A limit is (current, phases): the current per phase in 1/13800 A, so that a tenth of an
ampere and a tenth of a watt on one, two or three phases of 230 V are whole numbers, and nothing is rounded before the
end; phases 0 means that their number is not given. Times are Unix seconds.
"""

from collections import namedtuple

from micropython import const

# Purposes
STATION = "station"  # for all connectors together
DEFAULT = "default"  # for any transaction of a connector, or of all connectors (connector 0)
TRANSACTION = "transaction"  # for one transaction

_TENTH_AMPERE = const(1380)
_TENTH_WATT = const(6)  # times phases

# number      chosen by the back-end
# connector   1..n, 0: the station, or all connectors
# purpose     STATION, DEFAULT or TRANSACTION; level: the higher one counts
# transaction local number of the transaction that it is for, None for other purposes
# start       of the schedule; None: the begin of the transaction
# repeat      86400 or 604800 s, counted from `start`; 0: never
# duration    s, None: without end
# valid_from, valid_to   from then on, until before then; None: always
# watts       True: limits are in tenths of a watt of all phases; False: in tenths of an ampere per phase
# least       lowest useful limit (minChargingRate), None if none was given
# periods     of each period, flat: s from the start of the schedule, limit, phases (1 to 3; 0, not said, only with A)
Profile = namedtuple(
    "Profile",
    (
        "number", "connector", "purpose", "level", "transaction", "start", "repeat", "duration", "valid_from",
        "valid_to", "watts", "least", "periods",
    ),
)  # fmt: skip


def current_of(tenths, watts, phases):
    """Returns the current per phase of tenths of W, or of tenths of A, for which phases do not matter (§7.12)."""
    return tenths * _TENTH_WATT // phases if watts else tenths * _TENTH_AMPERE


def from_ma(milliamps):
    return milliamps * 69 // 5


def to_ma(current):
    return current * 5 // 69


def is_over(profile, t):
    """Tells whether a profile will never say anything again, whatever transactions there will be."""
    if profile.valid_to is not None and profile.valid_to <= t:
        return True
    ends = profile.start is not None and profile.duration is not None and not profile.repeat
    return ends and profile.start + profile.duration <= t


def position(profile, t, begun):
    """Returns how many seconds ago the schedule began, the last time for a recurring one; None while it says nothing.

    Beyond the duration and before the start a lower level takes over (errata 3.43). `begun` is the begin of the
    transaction, None: it would begin at `t`.
    """
    if profile.valid_from is not None and t < profile.valid_from:
        return None
    if profile.valid_to is not None and t >= profile.valid_to:
        return None
    start = profile.start
    if start is None:
        start = t if begun is None else begun
    at = t - start
    if at < 0:
        return None
    if profile.repeat:
        at %= profile.repeat
    return None if profile.duration is not None and at >= profile.duration else at


def limit_of(profile, at):
    """Returns the limit of the period that runs `at` seconds after the start of the schedule."""
    periods = profile.periods
    i = len(periods) - 3
    while periods[i] > at:
        i -= 3
    return current_of(periods[i + 1], profile.watts, periods[i + 2]), periods[i + 2]


def prevailing(profiles, purpose, connector, t, begun=None):
    """Returns (profile, position) of the one of a purpose that counts at `t`; (None, None) if none does.

    That of the connector itself replaces those of connector 0 (§3.13.1), then the highest level counts (§3.13.2).
    """
    best = found = rank = None
    for profile in profiles:
        if profile.purpose == purpose and profile.connector in (connector, 0):
            if best is None or (profile.connector, profile.level) > rank:
                at = position(profile, t, begun)
                if at is not None:
                    best, found, rank = profile, at, (profile.connector, profile.level)
    return best, found


def own_limit(profiles, connector, t, begun=None):
    """Returns (limit, profile) of a connector, of its transaction's profile or else its default, or (None, None)."""
    profile, at = prevailing(profiles, TRANSACTION, connector, t, begun)
    if profile is None:
        profile, at = prevailing(profiles, DEFAULT, connector, t, begun)
    return (None, None) if profile is None else (limit_of(profile, at), profile)


def station_limit(profiles, t):
    """Returns the limit that all connectors together have, or None."""
    profile, at = prevailing(profiles, STATION, 0, t)
    return None if profile is None else limit_of(profile, at)


def next_change(profiles, connector, t, begun=None):
    """Returns the first moment after `t` at which a limit of a connector may change, or None; see position()."""
    found = None
    for profile in profiles:
        if profile.connector in (connector, 0):
            for moment in _moments(profile, t, begun):
                if moment is not None and moment > t and (found is None or moment < found):
                    found = moment
    return found


def _moments(profile, t, begun):
    """Yields the moments around `t` at which a profile begins or ceases to say something, None and past ones too."""
    yield profile.valid_from
    yield profile.valid_to
    start = begun if profile.start is None else profile.start
    if start is None:
        return
    yield start
    if t < start:
        return
    if profile.repeat:
        start = t - (t - start) % profile.repeat
        yield start + profile.repeat
    if profile.duration is not None:
        yield start + profile.duration
    periods = profile.periods
    for i in range(3, len(periods), 3):
        yield start + periods[i]


def merged(limits, fitted):
    """Returns (current, phases said or 0, phases for the conversion to W) of limits; the lowest counts (§3.13.3)."""
    current, phases = min(limits)
    said = [limit[1] for limit in limits if limit[1]]
    return current, min(said) if said else 0, min([phases or fitted] + said)


def composite(profiles, ceilings, begun, start, end, watts=False, fitted=3):
    """Yields (t, tenths of A or W, phases or 0) from `start` on, at each moment at which that may change before `end`.

    Power on less than three phases says on how many, as three are assumed elsewhere (§7.12).

    `ceilings` is {connector: mA that the hardware allows}; several connectors are added up, as for connector 0 (§5.7),
    up to what its entry 0 allows all of them together.
    `begun` is {connector: begin of its transaction}; for the others one is taken to begin at `start`. Each connector
    could be used, so this is what may flow, not what will. `fitted` is the number of phases where nothing is said.
    """
    t = start
    while t is not None:
        station = station_limit(profiles, t)
        total = said = 0
        later = end
        for connector, ceiling in ceilings.items():
            if connector == 0:
                continue
            since = begun.get(connector, start)
            own = own_limit(profiles, connector, t, since)[0]
            limits = [limit for limit in ((from_ma(ceiling), 0), own, station) if limit]
            current, said, phases = merged(limits, fitted)
            total += current * phases if watts else current
            later = min(later, next_change(profiles, connector, t, since) or end)
        if 0 in ceilings:
            current, said, phases = merged([limit for limit in ((from_ma(ceilings[0]), 0), station) if limit], fitted)
            total = min(total, current * phases if watts else current)
        if watts and (said or fitted < 3):
            said = phases
        yield t, total // (_TENTH_WATT if watts else _TENTH_AMPERE), said
        t = later if later < end else None
