"""What charging profiles add up to: the rules of OCPP 1.6 §3.13, §5.16.4 and their errata, one by one."""

from charging_profiles import profile

from firmware.charging.composite import DEFAULT, STATION, TRANSACTION, composite, from_ma, is_over, to_ma
from firmware.charging.sharing import split

T = 1_800_000_000
DAY = 86_400
WEEK = 604_800


def steps(profiles, end=3_600, watts=False, fitted=3, ceilings=None, begun=None):
    """Returns [(s from now, limit in tenths, phases), ...]."""
    found = []
    for t, limit, phases in composite(profiles, ceilings or {1: 32_000}, begun or {}, T, T + end, watts, fitted):
        if not found or found[-1][1:] != (limit, phases):
            found.append((t - T, limit, phases))
    return found


def limits(profiles, **more):
    return [step[:2] for step in steps(profiles, **more)]


def test_without_a_profile_the_hardware_decides():
    # §3.13.6; trap 38: there is always a period
    assert steps([]) == [(0, 320, 0)]
    assert steps([], watts=True) == [(0, 220_800, 0)]
    assert steps([], watts=True, fitted=1) == [(0, 73_600, 1)]


def test_tenths_survive_both_units():
    # §7.14: one decimal. No rounding in between, whatever the number of phases.
    for tenths in (1, 59, 60, 81, 105, 319):
        assert limits([profile(periods=(0, tenths, 0))]) == [(0, tenths)]
        assert to_ma(tenths * 1380) == tenths * 100 and from_ma(tenths * 100) == tenths * 1380
    for tenths in (41_400, 41_401, 110_000, 73_599):
        for phases in (2, 3):
            assert limits([profile(watts=True, periods=(0, tenths, phases))], watts=True) == [(0, tenths)]


def test_power_is_that_of_all_phases_current_that_of_each():
    # §7.12, errata 3.69; trap 35
    assert limits([profile(watts=True, periods=(0, 110_000, 3))]) == [(0, 159)]
    assert limits([profile(watts=True, periods=(0, 36_800, 1))]) == [(0, 160)]
    assert limits([profile(periods=(0, 160, 0))], watts=True) == [(0, 110_400)]
    assert limits([profile(periods=(0, 160, 1))], watts=True) == [(0, 36_800)]


def test_more_phases_than_there_are_leave_the_limit_as_it_is():
    # errata 3.34; trap 35
    assert limits([profile(periods=(0, 160, 3))], fitted=1) == [(0, 160)]
    assert limits([profile(watts=True, periods=(0, 110_000, 3))], watts=True, fitted=1) == [(0, 110_000)]


def test_power_of_a_station_with_one_phase_says_so():
    # §7.12: where the number of phases is absent, three are assumed, and 7360 W would be 10.7 A
    assert steps([profile(watts=True, periods=(0, 331_200, 3))], watts=True, fitted=1) == [(0, 73_600, 1)]
    assert steps([profile(watts=True, periods=(0, 110_400, 3))], watts=True, fitted=1) == [(0, 110_400, 3)]
    assert steps([], fitted=1) == [(0, 320, 0)]


def test_the_highest_level_counts_while_it_is_valid():
    # §3.13.2; trap 33. MicroOcpp goes on with what has expired.
    low = profile(1, level=0, periods=(0, 100, 0))
    high = profile(2, level=3, valid_from=T + 100, valid_to=T + 200, periods=(0, 60, 0))
    assert limits([low, high]) == [(0, 100), (100, 60), (200, 100)]


def test_a_lower_level_takes_over_at_the_end_of_the_duration_and_before_the_start():
    # errata 3.43; trap 37
    low = profile(1, level=0, periods=(0, 100, 0))
    high = profile(2, level=1, start=T + 60, duration=120, periods=(0, 200, 0, 90, 150, 0, 500, 70, 0))
    assert limits([low, high]) == [(0, 100), (60, 200), (150, 150), (180, 100)]
    assert limits([high]) == [(0, 320), (60, 200), (150, 150), (180, 320)]


def test_the_last_period_lasts_as_long_as_the_schedule():
    # §5.16.4: a duration beyond the last period keeps its value
    assert limits([profile(start=T - 50, duration=400, periods=(0, 80, 0, 100, 90, 0))]) == [
        (0, 80),
        (50, 90),
        (350, 320),
    ]


def test_daily_and_weekly_repeat_at_the_time_of_their_start():
    # errata 3.79; trap 37
    daily = profile(start=T - 10 * DAY - 600, repeat=DAY, duration=7_200, periods=(0, 60, 0, 3_600, 80, 0))
    assert limits([daily], end=2 * DAY) == [
        (0, 60),
        (3_000, 80),
        (6_600, 320),
        (DAY - 600, 60),
        (DAY + 3_000, 80),
        (DAY + 6_600, 320),
        (2 * DAY - 600, 60),
    ]
    weekly = profile(start=T - 3 * WEEK + 100, repeat=WEEK, duration=50, periods=(0, 60, 0))
    assert limits([weekly], end=WEEK + 120) == [(0, 320), (100, 60), (150, 320), (WEEK + 100, 60)]


def test_what_is_longer_than_the_recurrence_is_not_executed():
    # errata 3.44; trap 37
    daily = profile(start=T - DAY, repeat=DAY, duration=2 * DAY, periods=(0, 60, 0, DAY + 60, 90, 0))
    assert limits([daily], end=2 * DAY) == [(0, 60)]


def test_a_recurring_schedule_does_not_begin_before_its_start():
    assert limits([profile(start=T + 60, repeat=DAY, periods=(0, 60, 0))]) == [(0, 320), (60, 60)]


def test_relative_counts_from_the_begin_of_the_transaction():
    # trap 37, trap 38: before one, as if it began now
    relative = profile(periods=(0, 60, 0, 600, 160, 0))
    assert limits([relative]) == [(0, 60), (600, 160)]
    assert limits([relative], begun={1: T - 500}) == [(0, 60), (100, 160)]
    assert limits([relative], begun={1: T - 700}) == [(0, 160)]


def test_the_profile_of_the_transaction_overrules_the_default():
    # §3.13.1; trap 33: whatever the levels
    default = profile(1, level=9, periods=(0, 60, 0))
    own = profile(2, 1, TRANSACTION, 0, 5, duration=100, periods=(0, 160, 0))
    assert limits([default, own]) == [(0, 160), (100, 60)]


def test_a_default_of_the_connector_replaces_that_of_all():
    # §3.13.1; trap 33
    everybody = profile(1, 0, level=5, periods=(0, 60, 0))
    mine = profile(2, 1, level=0, duration=100, periods=(0, 160, 0))
    assert limits([everybody, mine]) == [(0, 160), (100, 60)]
    assert limits([everybody, mine], ceilings={2: 32_000}) == [(0, 60)]


def test_the_lowest_of_all_purposes_counts():
    # §3.13.3
    station = profile(1, 0, STATION, start=T, periods=(0, 320, 0, 100, 80, 0, 200, 320, 0))
    default = profile(2, periods=(0, 160, 0, 150, 60, 0))
    assert limits([station, default]) == [(0, 160), (100, 80), (150, 60)]
    assert steps(
        [profile(1, 0, STATION, start=T, periods=(0, 100, 0)), profile(2, periods=(0, 160, 1))], watts=True
    ) == [(0, 23_000, 1)]


def test_connector_zero_is_the_sum_below_the_limit_of_the_station():
    # §5.7, errata 3.30; trap 33
    both = {0: 63_000, 1: 32_000, 2: 16_000}
    first = profile(1, 1, DEFAULT, periods=(0, 100, 0))
    assert limits([], ceilings=both) == [(0, 480)]
    assert limits([first], ceilings=both) == [(0, 260)]
    assert limits([first], ceilings=both, watts=True) == [(0, 179_400)]
    station = profile(2, 0, STATION, start=T, duration=60, periods=(0, 200, 0))
    assert limits([first, station], ceilings=both) == [(0, 200), (60, 260)]
    assert limits([first, station], ceilings=both, watts=True) == [(0, 138_000), (60, 179_400)]
    both[0] = 25_000  # what the supply can give to both together
    assert limits([first, station], ceilings=both) == [(0, 200), (60, 250)]
    only = profile(1, 1, DEFAULT, periods=(0, 100, 1))
    assert steps([only], ceilings=both, watts=True) == [(0, 133_400, 0)], "no number of phases is that of all"


def test_nothing_comes_of_a_profile_that_is_over():
    assert is_over(profile(valid_to=T), T) and not is_over(profile(valid_to=T + 1), T)
    assert is_over(profile(start=T - 60, duration=60), T) and not is_over(profile(start=T - 59, duration=60), T)
    assert not is_over(profile(duration=60), T), "another transaction may come"
    assert not is_over(profile(start=T - 60, duration=60, repeat=DAY), T)


def test_shares_are_even_and_what_one_cannot_use_goes_to_the_others():
    assert split(32_000, [(6_000, 32_000), (6_000, 32_000)]) == [16_000, 16_000]
    assert split(32_000, [(6_000, 10_000), (6_000, 32_000)]) == [10_000, 22_000]
    assert split(48_000, [(6_000, 16_000), (6_000, 16_000)]) == [16_000, 16_000]


def test_where_it_is_not_enough_for_all_the_first_ones_charge():
    assert split(10_000, [(6_000, 32_000), (6_000, 32_000)]) == [10_000, 0]
    assert split(5_900, [(6_000, 32_000)]) == [0]
    assert split(14_000, [(8_000, 32_000), (6_000, 32_000)]) == [8_000, 6_000]
    assert split(20_000, [(6_000, 0), (6_000, 32_000)]) == [0, 20_000], "one that has to pause keeps nothing"
