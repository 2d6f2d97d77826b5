"""The composite schedule against an oracle that looks at every single second (OCPP 1.6 §3.13, §5.7)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.charging.composite import DEFAULT, STATION, TRANSACTION, Profile, composite, from_ma
from firmware.charging.sharing import split

NOW = 1_800_000_000
WINDOW = 240


def moments(none=True):
    around = st.integers(NOW - 150, NOW + WINDOW + 50)
    return st.one_of(st.none(), around) if none else around


@st.composite
def profiles(draw):
    purpose, connector = draw(
        st.sampled_from([(STATION, 0), (DEFAULT, 0), (DEFAULT, 1), (DEFAULT, 2), (TRANSACTION, 1), (TRANSACTION, 2)])
    )
    watts = draw(st.booleans())
    start = draw(moments(none=purpose != STATION))
    starts = [0, *sorted(draw(st.sets(st.integers(1, 200), max_size=4)))]
    periods = []
    for at in starts:
        limit = draw(st.integers(0, 230_000) if watts else st.integers(0, 400))
        periods += [at, limit, draw(st.integers(1 if watts else 0, 3))]
    return Profile(
        draw(st.integers(0, 9)),
        connector,
        purpose,
        draw(st.integers(0, 3)),
        7 if purpose == TRANSACTION else None,
        start,
        # A recurrence is as long as 24 h or 7 d, which no test can look at second by second.
        draw(st.sampled_from([0, 0, 60, 100])) if start is not None else 0,
        draw(st.one_of(st.none(), st.integers(1, 200))),
        draw(moments()),
        draw(moments()),
        watts,
        None,
        tuple(periods),
    )


def installed(several):
    """As in a station: one of each purpose, level and connector."""
    return list({(p.purpose, p.level, p.connector): p for p in several}.values())


def said(profile, second, since):
    """Returns (A per phase * 13800, phases) that a profile says in one second, or None."""
    if profile.valid_from is not None and second < profile.valid_from:
        return None
    if profile.valid_to is not None and not second < profile.valid_to:
        return None
    age = second - (since if profile.start is None else profile.start)
    if age < 0:
        return None
    while profile.repeat and age >= profile.repeat:
        age -= profile.repeat
    if profile.duration is not None and not age < profile.duration:
        return None
    triples = [profile.periods[i : i + 3] for i in range(0, len(profile.periods), 3)]
    _, limit, phases = [triple for triple in triples if triple[0] <= age][-1]
    return (limit * 6 // phases if profile.watts else limit * 1380), phases


def first_said(several, second, since):
    for profile in several:
        limit = said(profile, second, since)
        if limit is not None:
            return limit
    return None


def quantity(limits, watts, fitted):
    """Returns the lowest limit, as power with no more phases than any of them says."""
    limits = [limit for limit in limits if limit]
    current, phases = min(limits)
    return current * min([phases or fitted] + [p for _, p in limits if p]) if watts else current


def second_by_second(several, ceilings, begun, second, watts, fitted):
    """Returns what the composite schedule has to say in one second, in tenths."""
    by_level = sorted(several, key=lambda p: -p.level)
    station = first_said([p for p in by_level if p.purpose == STATION], second, NOW)
    total = 0
    for connector in (n for n in ceilings if n):
        since = begun.get(connector, NOW)
        mine = [p for p in by_level if p.connector == connector]
        order = [p for p in mine if p.purpose == TRANSACTION] + [p for p in mine if p.purpose == DEFAULT]
        order += [p for p in by_level if p.purpose == DEFAULT and p.connector == 0]
        own = first_said(order, second, since)
        total += quantity([(from_ma(ceilings[connector]), 0), own, station], watts, fitted)
    if 0 in ceilings:
        total = min(total, quantity([(from_ma(ceilings[0]), 0), station], watts, fitted))
    return total // (6 if watts else 1380)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(profiles(), max_size=7).map(installed),
    st.sampled_from([{1: 32_000}, {2: 16_000}, {0: 40_000, 1: 32_000, 2: 20_000}, {0: 16_000, 1: 16_000}]),
    st.dictionaries(st.sampled_from([1, 2]), st.integers(NOW - 300, NOW)),
    st.booleans(),
    st.sampled_from([1, 3]),
)
def test_every_second_is_as_an_oracle_says(several, ceilings, begun, watts, fitted):
    steps = list(composite(several, ceilings, begun, NOW, NOW + WINDOW, watts, fitted))
    times = [t for t, _, _ in steps]
    assert times[0] == NOW and times == sorted(set(times)) and times[-1] < NOW + WINDOW
    at = 0
    for second in range(NOW, NOW + WINDOW):
        if at + 1 < len(steps) and steps[at + 1][0] == second:
            at += 1
        assert steps[at][1] == second_by_second(several, ceilings, begun, second, watts, fitted), second - NOW


@given(
    st.integers(0, 100_000),
    st.lists(st.tuples(st.sampled_from([6_000, 8_000, 13_000]), st.integers(0, 32_000)), max_size=8),
)
def test_shares_never_exceed_the_whole(total, wants):
    shares = split(total, wants)
    assert sum(shares) <= total and len(shares) == len(wants)
    for (least, most), share in zip(wants, shares):
        assert share == 0 or least <= share <= most
    # Nothing is left over that somebody could use.
    left = total - sum(shares)
    for (least, most), share in zip(wants, shares):
        assert left < max(1, len(wants)) or share >= most or (share == 0 and least > min(left, most))
