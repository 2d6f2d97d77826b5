"""Current limits and the duty cycle that signals them (IEC 61851-1 tables A.7, A.8)."""

from harness import raises

from firmware.evse.limits import MIN_PILOT_MA, STATE_F, STEADY, Limits, duty_for
from tools.sim.world.circuit import offered_ma


def test_duty_follows_both_formulas_for_every_tenth_of_an_ampere():
    for tenths in range(60, 801):
        # 0.01 % steps; the exact values are fractions: A / 0.6 up to 51 A, A / 2.5 + 64 above
        if tenths <= 510:
            exact_numerator, denominator = tenths * 100, 6
        else:
            exact_numerator, denominator = tenths * 4 + 6_400, 1
        error = abs(duty_for(tenths * 100) * denominator - exact_numerator)
        assert 2 * error <= denominator, tenths


def test_known_duty_cycles():
    for amps, duty in ((6, 1_000), (10, 1_667), (13, 2_167), (16, 2_667), (20, 3_333), (25, 4_167), (32, 5_333),
                       (50, 8_333), (51, 8_500), (63, 8_920), (80, 9_600)):  # fmt: skip
        assert duty_for(amps * 1000) == duty


def test_where_the_formulas_meet_a_vehicle_reads_less_but_never_more():
    """51 A is 85 %, and 51.1 A is 84.44 %: below 85 % the first formula holds for the vehicle."""
    for milliamps in range(51_001, 52_500):
        assert milliamps - 1_900 < offered_ma(duty_for(milliamps)) <= milliamps


def test_the_steady_levels_and_the_nearest_hundredth_of_a_percent():
    assert (STATE_F, STEADY, MIN_PILOT_MA) == (0, 10_000, 6_000)
    assert [duty_for(milliamps) for milliamps in (6_002, 6_003, 63_012, 63_013)] == [1_000, 1_001, 8_920, 8_921]


def test_below_6_amperes_there_is_only_the_pause_and_above_80_nothing_more():
    assert duty_for(0) == duty_for(5_999) == STEADY
    assert duty_for(100_000) == duty_for(80_000)


def test_a_vehicle_reads_what_was_meant():
    for milliamps in range(6_000, 51_001, 50):
        assert abs(offered_ma(duty_for(milliamps)) - milliamps) <= 3, milliamps
    for milliamps in range(52_550, 80_001, 50):
        assert abs(offered_ma(duty_for(milliamps)) - milliamps) <= 12, milliamps


def test_duty_cycles_that_allow_nothing():
    for duty in (0, 299, 500, 799, 9_701, STEADY):
        assert offered_ma(duty) == 0
    assert offered_ma(800) == offered_ma(999) == MIN_PILOT_MA  # table A.8: 8 to 10 %
    assert offered_ma(9_650) == 80_000


def test_the_lowest_slot_decides_and_says_so():
    limits = Limits()
    limits.set("supply", 32_000)
    limits.set("schedule", 16_000)
    assert limits.allowed() == (16_000, "schedule")
    limits.clear("schedule")
    limits.clear("never set")
    assert limits.allowed() == (32_000, "supply")


def test_pause_below_six_amperes():
    limits = Limits()
    limits.set("supply", 32_000)
    limits.set("schedule", 5_900)
    assert limits.allowed() == (0, "schedule")


def test_without_any_slot_nothing_is_allowed():
    limits = Limits()
    assert limits.allowed() == (0, "none")
    limits.set("supply", 6_000)
    assert limits.allowed() == (6_000, "supply")
    limits.clear("supply")
    assert limits.allowed() == (0, "none") and limits.slots() == []


def test_every_slot_can_be_explained():
    limits = Limits()
    limits.set("supply", 32_000)
    limits.set("cable", 20_000)
    limits.set("ocpp", 20_000)
    assert limits.slots() == [(20_000, "cable"), (20_000, "ocpp"), (32_000, "supply")]
    assert limits.get("cable") == 20_000 and limits.get("group") is None


def test_the_answer_is_the_same_object_until_it_changes():
    limits = Limits()
    limits.set("supply", 32_000)
    answer = limits.allowed()
    limits.set("supply", 32_000)
    limits.set("cable", 40_000)
    assert limits.allowed() is answer
    limits.set("ocpp", 3_000)
    answer = limits.allowed()
    limits.set("ocpp", 2_000)
    assert limits.allowed() is answer and answer == (0, "ocpp")


def test_a_negative_limit_is_an_error():
    with raises(ValueError):
        Limits().set("ocpp", -1)


def test_a_limit_that_could_not_be_decided_applies_with_the_next_change():
    """V2: memory that is short for a moment must not leave a connector with the limit of before."""
    limits = Limits()
    limits.set("supply", 32_000)
    slots, limits.slots = limits.slots, None
    with raises(TypeError):
        limits.set("station", 10_000)
    limits.slots = slots
    limits.clear("recovery")
    assert limits.allowed() == (10_000, "station")
    limits.slots = None
    with raises(TypeError):
        limits.clear("station")
    limits.slots = slots
    limits.set("supply", 32_000)
    assert limits.allowed() == (32_000, "supply")
