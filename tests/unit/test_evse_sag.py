"""A supply whose voltage follows the current, to the millivolt and millisecond, without a connector round it (V6)."""

from firmware.evse.sag import Sag

_REST_MV = 230_000


class _Supply:
    """A Sag that is shown one reading after the other."""

    def __init__(self):
        self.sag = Sag()
        self.now = 0

    def reads(self, millivolts, milliamps, ms=100, closed=True, low=False, quiet_ms=0):
        """The meter is read `ms` later; numbers stand for three equal phases."""
        self.now += ms
        voltages, currents = ((value,) * 3 if isinstance(value, int) else value for value in (millivolts, milliamps))
        self.sag.step(voltages, currents, 32_000, closed, low, quiet_ms, self.now)
        return self.sag.limit_ma

    def fails(self, loaded_mv, load_ma=32_000, back_ms=1_000, rest_mv=_REST_MV):
        """The voltage is low under load; the contactor opens, and `back_ms` later there is another reading."""
        self.reads(loaded_mv, load_ma)
        self.reads(loaded_mv, load_ma, low=True)
        self.reads(rest_mv, 0, back_ms, closed=False, low=True)
        self.reads(rest_mv, 0, closed=False)
        return self.sag.limit_ma

    def quiet(self, ms):
        """Nothing has failed for `ms`."""
        return self.reads(_REST_MV, 0, ms, quiet_ms=ms)


def _lowered(**options):
    supply = _Supply()
    assert supply.fails(190_000, **options) is None
    assert supply.fails(190_000, **options) == 24_000
    return supply


def test_what_the_line_drops_for_each_ampere_says_what_leaves_200_v():
    """At most three quarters of what it was, in whole amperes, and 6 A at least."""
    for loaded_mv, rest_mv, load_ma, limit_ma in (
        (194_999, 230_000, 32_000, 24_000),
        (185_000, 230_000, 32_000, 21_000),
        (180_000, 230_000, 32_000, 19_000),
        (180_000, 215_000, 32_000, 13_000),
        (180_000, 230_000, (5_000, 16_000, None), 9_000),
        ((None, 180_000, 225_000), 230_000, 16_000, 9_000),
        (90_000, 230_000, 32_000, 6_000),
        (180_000, 230_000, None, 19_000),  # no currents: what is offered
    ):
        supply = _Supply()
        assert supply.fails(loaded_mv, load_ma, rest_mv=rest_mv) is None, "once is chance"
        assert supply.fails(loaded_mv, load_ma, rest_mv=rest_mv) == limit_ma, loaded_mv


def test_a_voltage_without_load_or_good_enough_says_nothing():
    for loaded_mv, load_ma, lowers in (
        (194_999, 1_001, True),
        (195_000, 1_001, False),
        (194_999, 1_000, False),
        ((None, None, None), 32_000, False),
        (None, 32_000, False),
    ):
        supply = _Supply()
        for _ in range(2):
            supply.fails(loaded_mv, load_ma)
        assert (supply.sag.limit_ma is not None) == lowers, (loaded_mv, load_ma)


def test_a_voltage_that_comes_back_later_than_3_s_after_the_opening_did_not_follow_it():
    for back_ms, limit_ma in ((3_000, 24_000), (3_001, None)):
        supply = _Supply()
        supply.fails(190_000, back_ms=back_ms)
        assert supply.fails(190_000, back_ms=back_ms) == limit_ma, back_ms


def test_one_that_does_not_come_back_begins_the_counting_anew():
    supply = _Supply()
    supply.fails(190_000)
    supply.fails(190_000, back_ms=5_000)
    assert supply.fails(190_000) is None
    assert supply.fails(190_000) == 24_000


def test_a_voltage_that_is_still_low_when_open_is_waited_for():
    supply = _Supply()
    for _ in range(2):
        supply.reads(190_000, 32_000)
        supply.reads(190_000, 32_000, low=True)
        assert supply.reads(190_000, 0, closed=False, low=True) is None
        supply.reads(194_999, 0, closed=False, low=True)
        supply.reads(195_000, 0, closed=False, low=True)
        supply.reads(195_000, 0, closed=False)
    assert supply.sag.limit_ma == 6_000


def test_one_opening_counts_once():
    supply = _Supply()
    supply.reads(190_000, 32_000)
    supply.reads(190_000, 32_000, low=True)
    for _ in range(5):
        assert supply.reads(_REST_MV, 0, closed=False, low=True) is None


def test_nothing_is_known_before_the_first_reading():
    sag = Sag()
    for voltages_mv in (None, (190_000,), (_REST_MV,)):
        sag.step(voltages_mv, None, 0, False, True, 0, 0)
        assert sag.limit_ma is None


def test_a_first_reading_of_an_open_contactor():
    supply = _Supply()
    assert supply.reads(_REST_MV, 0, closed=False) is None


def test_a_reading_is_judged_by_the_offer_of_its_time():
    sag = Sag()
    now = 0
    for _ in range(2):
        voltages_mv = (180_000,)
        sag.step(voltages_mv, None, 32_000, True, False, 0, now)
        sag.step(voltages_mv, None, 0, True, False, 0, now + 20)
        sag.step(voltages_mv, None, 0, True, True, 0, now + 40)
        sag.step((_REST_MV,), None, 0, False, True, 0, now + 60)
        sag.step((_REST_MV,), None, 0, False, False, 0, now + 80)
        now += 100
    assert sag.limit_ma == 19_000


def test_a_smaller_offer_that_fails_as_well_becomes_smaller_still():
    supply = _lowered()
    assert supply.fails(191_000, 24_000) == 18_000


def test_less_current_that_leaves_no_volt_more_is_given_up_for_six_pauses():
    supply = _lowered()
    assert supply.fails(190_999, 24_000) is None
    for _ in range(7):
        assert supply.fails(190_000) is None
    assert supply.fails(190_000) == 24_000


def test_what_was_given_up_is_tried_again_after_a_quiet_time():
    supply = _lowered()
    assert supply.fails(190_999, 24_000) is None
    supply.quiet(1_200_000)
    assert supply.fails(190_000) is None
    assert supply.fails(190_000) == 24_000


def test_the_smaller_offer_stands_for_10_minutes_without_failure():
    supply = _lowered()
    assert supply.quiet(599_999) == 24_000
    assert supply.quiet(600_000) is None


def test_each_time_that_more_current_fails_again_it_stands_twice_as_long_and_4_h_at_most():
    supply = _lowered()
    for minutes in (10, 20, 40, 80, 160, 240, 240):
        hold_ms = minutes * 60_000
        assert supply.quiet(hold_ms - 1) == 24_000, minutes
        assert supply.quiet(hold_ms) is None
        assert supply.fails(190_000) == 24_000  # the two before still count


def test_more_current_that_went_well_for_as_long_is_a_first_failure_again():
    for well_ms, hold_ms in ((599_999, 1_200_000), (600_000, 600_000)):
        supply = _lowered()
        supply.quiet(600_000)
        released_ms = supply.now
        supply.reads(190_000, 32_000, well_ms - 200)
        supply.reads(190_000, 32_000, low=True)
        assert supply.reads(_REST_MV, 0, closed=False, low=True) == 24_000
        assert supply.now - released_ms == well_ms
        supply.reads(_REST_MV, 0, closed=False)
        assert supply.quiet(hold_ms - 1) == 24_000 and supply.quiet(hold_ms) is None, well_ms


def test_two_failures_in_a_row_are_two_within_twice_the_quiet_time():
    for quiet_ms, limit_ma in ((1_199_999, 24_000), (1_200_000, None)):
        supply = _Supply()
        supply.fails(190_000)
        supply.quiet(quiet_ms)
        assert supply.fails(190_000) == limit_ma, quiet_ms
