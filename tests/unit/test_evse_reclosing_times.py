"""The pauses before closing again, to the millisecond, without a connector round them (V6, V7, V8)."""

from firmware.evse.reclosing import Reclosing


def _ends(looks, at_ms):
    """True when looks(ms) is true until `at_ms`, and no longer."""
    return looks(at_ms - 1) and not looks(at_ms)


def _resumed(*kept, now_ms=0):
    reclosing = Reclosing()
    reclosing.resume(list(kept), now_ms)
    return reclosing


def _failed(times, closed=True, of_supply=False, now_ms=0):
    reclosing = Reclosing()
    for _ in range(times):
        reclosing.failed(closed, of_supply, now_ms)
    return reclosing


def test_nothing_is_known_and_nothing_waits_at_the_beginning():
    reclosing = Reclosing()
    assert (reclosing.failures, reclosing.unproven, reclosing.kept) == (0, False, (0, 0, 0))
    assert not reclosing.waits(0) and not reclosing.rests(0) and reclosing.quiet_ms(7) == 7
    reclosing.unplugged(0)
    reclosing.step(False, 0)
    assert reclosing.kept == (0, 0, 0)


def test_5_s_after_an_opening_and_1_s_when_the_vehicle_has_gone():
    for away, ms in ((False, 5_000), (True, 1_000)):
        reclosing = Reclosing()
        reclosing.opened(away, 100)
        assert _ends(reclosing.waits, 100 + ms) and not reclosing.rests(100)


def test_30_s_after_the_cause_of_a_fault_and_1_s_without_vehicle():
    for away, ms in ((False, 30_000), (True, 1_000)):
        reclosing = Reclosing()
        reclosing.troubled(away, 100)
        assert _ends(reclosing.waits, 100 + ms) and not reclosing.rests(100)


def test_who_goes_leaves_1_s_to_the_next_vehicle_and_no_more_than_there_was():
    for gone_ms, end_ms in ((200, 1_200), (4_500, 5_100)):
        reclosing = Reclosing()
        reclosing.opened(False, 100)
        reclosing.unplugged(gone_ms)
        assert _ends(reclosing.waits, end_ms)


def test_each_failure_in_a_row_makes_a_longer_pause_in_which_nothing_is_offered():
    reclosing = Reclosing()
    for i, pause_ms in enumerate((30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000)):
        failures = i + 1
        reclosing.failed(True, False, 500)
        assert reclosing.failures == failures and reclosing.unproven
        assert _ends(reclosing.rests, 500 + pause_ms) and _ends(reclosing.waits, 500 + pause_ms)
        assert reclosing.kept == (failures, 0, 0)
    assert reclosing.quiet_ms(900_499) == 0 and reclosing.quiet_ms(900_503) == 3


def test_an_offer_that_was_taken_back_leaves_nothing_to_prove():
    assert not _failed(1, closed=False).unproven


def test_the_next_vehicle_has_the_same_supply_and_nothing_else_of_the_last_one():
    for times, of_supply, stays in ((1, True, False), (2, True, True), (2, False, False)):
        reclosing = _failed(times, of_supply=of_supply)
        reclosing.unplugged(1_000)
        assert reclosing.rests(1_000) == reclosing.waits(2_000) == stays, (times, of_supply)
        assert reclosing.kept == ((times, 0, 0) if stays else (0, 0, 0)) and not reclosing.unproven
        assert reclosing.quiet_ms(1_500) == (0 if stays else 500)


def test_the_last_failure_says_whose_it_is():
    reclosing = _failed(1, of_supply=True)
    reclosing.failed(True, False, 0)
    reclosing.unplugged(100)
    assert reclosing.failures == 0


def test_a_pause_that_is_over_is_not_made_longer_by_unplugging():
    reclosing = _failed(1)
    reclosing.unplugged(40_000)
    assert reclosing.quiet_ms(40_000) == 10_000


def test_a_closing_has_proved_itself_after_15_s():
    reclosing = _failed(1)
    for ms, stage in ((30_000, 1), (30_999, 1), (31_000, 2), (44_999, 2), (45_000, 0)):
        reclosing.step(True, ms)
        assert (reclosing.unproven, reclosing.kept) == (stage > 0, (1, 0, stage)), ms


def test_each_closing_has_its_own_15_s():
    reclosing = _failed(1)
    for closed, ms in ((True, 30_000), (False, 40_000), (True, 44_000), (True, 58_999)):
        reclosing.step(closed, ms)
    assert reclosing.unproven
    reclosing.step(True, 59_000)
    assert not reclosing.unproven


def test_a_vehicle_that_does_not_let_it_close_proves_nothing_after_60_s():
    reclosing = _failed(1)
    reclosing.step(False, 89_999)
    assert reclosing.unproven
    reclosing.step(False, 90_000)
    assert not reclosing.unproven


def test_what_waits_for_a_closing_waits_in_the_pause_too():
    reclosing = _failed(3)
    for ms in (0, 90_000, 120_000):
        reclosing.step(False, ms)
        assert reclosing.unproven, ms


def test_10_minutes_without_failure_behind_the_pause_and_the_next_one_is_a_first_one():
    reclosing = _failed(2)
    reclosing.step(False, 659_999)
    assert reclosing.failures == 2
    reclosing.step(False, 660_000)
    assert reclosing.failures == 0 and reclosing.kept == (0, 0, 0)


def test_what_the_power_cut_says():
    """At once after closing: a failure. Soon after: a suspicion, and a failure from the second time on."""
    for kept, failures, suspected in (
        ((0, 0, 0), 0, 0),
        ((0, 0, 1), 1, 1),
        ((0, 0, 2), 0, 1),
        ((0, 1, 2), 1, 1),
        ((1, 0, 2), 2, 1),
        ((2, 0, 0), 2, 0),
        ((0, 1, 0), 0, 1),
    ):
        reclosing = _resumed(*kept, now_ms=300)
        assert reclosing.kept == (failures, suspected, 0) and reclosing.failures == failures, kept
        assert reclosing.waits(300) == reclosing.rests(300) == (failures > 0)
        if failures:
            assert _ends(reclosing.waits, 300 + failures * 30_000)


def test_what_failed_before_a_power_cut_is_the_supply():
    reclosing = _resumed(1, 0, 1)
    reclosing.unplugged(1_000)
    assert reclosing.failures == 2 and reclosing.rests(59_999)


def test_a_suspicion_ends_with_a_closing_that_lasts_and_after_10_minutes():
    reclosing = _resumed(0, 1, 0)
    reclosing.step(True, 1_000)
    reclosing.step(True, 16_000)
    reclosing.step(False, 17_000)
    assert reclosing.kept == (0, 0, 0)
    reclosing = _resumed(0, 1, 0)
    reclosing.step(False, 599_999)
    assert reclosing.kept == (0, 1, 0)
    reclosing.step(False, 600_000)
    assert reclosing.kept == (0, 0, 0)


def test_what_is_no_such_tuple_is_an_error():
    for kept in ((), (1, 2), 5, None):
        try:
            Reclosing().resume(kept, 0)
        except (TypeError, ValueError):
            continue
        raise AssertionError(kept)


def test_what_is_kept_is_the_same_object_until_it_changes():
    """Another one is written to flash."""
    reclosing = Reclosing()
    kept = reclosing.kept
    reclosing.unplugged(0)
    assert reclosing.kept is kept
    reclosing = _failed(1)
    kept = reclosing.kept
    for ms in (0, 20, 30_000):
        reclosing.step(False, ms)
        assert reclosing.kept is kept
