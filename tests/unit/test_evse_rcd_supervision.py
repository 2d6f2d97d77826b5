"""The self-test of a residual current device, to the millisecond, without a connector round it."""

from firmware.evse.faults import MAX_RETRIES, RETRY_AFTER_MS
from firmware.evse.rcd_supervision import RcdSupervision

DAY_MS = 86_400_000


class _Device:
    def __init__(self, can_test=True):
        self.rcd = RcdSupervision(can_test)
        self.now = 0
        self.tripped = self.closed = False
        self.away = True

    def step(self, ms):
        """Returns (level of the test line, passed, failed)."""
        self.now += ms
        self.rcd.step(self.tripped, self.closed, self.away, self.now)
        return self.rcd.test, self.rcd.passed, self.rcd.failed

    def pass_test(self):
        assert self.step(0)[0]
        self.tripped = True
        self.step(100)
        self.tripped = False
        assert self.step(100) == (False, True, False)

    def fail_test(self):
        assert self.step(0)[0]
        assert self.step(1_000) == (False, False, True)


def test_begins_with_nothing_known():
    rcd = RcdSupervision()
    assert (rcd.tripped, rcd.test, rcd.passed, rcd.failed) == (False, False, False, False)


def test_1_s_to_answer():
    device = _Device()
    assert device.step(5) == (True, False, False)
    assert device.step(999) == (True, False, False)
    assert device.step(1) == (False, False, True)


def test_40_ms_of_test_level_at_least():
    device = _Device()
    device.step(5)
    device.tripped = True
    assert device.step(39)[0] and not device.rcd.tripped
    assert not device.step(1)[0] and not device.rcd.tripped


def test_3_s_to_release():
    for ms, passes in ((2_999, True), (3_000, False)):
        device = _Device()
        device.step(5)
        device.tripped = True
        device.step(100)
        assert device.step(ms) == (False, False, not passes)
        device.tripped = False
        device.step(0)
        assert device.rcd.passed == passes, ms


def test_a_day_between_two_tests_and_only_without_vehicle():
    for away in (True, False):
        device = _Device()
        device.pass_test()
        assert device.step(DAY_MS - 1) == (False, True, False)
        device.away = away
        assert device.step(1) == (away, not away, False)
    device.away = True
    assert device.step(1) == (True, False, False)


def test_a_second_after_the_contactor_has_moved():
    device = _Device()
    device.closed = True
    assert not device.step(10)[0]
    device.closed = False
    assert not device.step(999)[0]
    assert device.step(1)[0]


def test_a_contactor_that_closes_in_a_test_ends_it_and_shows_a_trip():
    device = _Device()
    device.step(5)
    device.closed = device.tripped = True
    assert device.step(20) == (False, False, True)
    assert device.rcd.tripped


def test_unplugging_in_a_test_does_not_begin_another_one():
    device = _Device()
    device.step(0)
    device.rcd.unplugged()
    device.tripped = True
    device.step(100)
    device.tripped = False
    assert device.step(100) == (False, True, False)
    assert device.step(20) == (False, True, False)
    device.rcd.unplugged()
    assert device.step(20) == (True, False, False)


def test_retries_15_minutes_after_a_failure_and_all_of_them_again_after_unplugging():
    device = _Device()
    device.away = False
    device.fail_test()
    for retries in (1, MAX_RETRIES - 1, MAX_RETRIES):  # the third time all are used up
        for _ in range(retries):
            assert not device.step(RETRY_AFTER_MS - 1)[0]
            device.step(1)
            device.fail_test()
        device.rcd.unplugged()
        if retries < MAX_RETRIES:
            device.fail_test()
    assert not device.step(20)[0] and not device.step(RETRY_AFTER_MS)[0]


def test_a_good_test_gives_the_retries_back():
    device = _Device()
    device.away = False
    device.fail_test()
    for _ in range(MAX_RETRIES):
        device.step(RETRY_AFTER_MS)
        device.fail_test()
    device.tripped = True  # a trip asks for a test, whatever was before
    device.step(20)
    device.tripped = False
    device.pass_test()
    device.tripped = True
    device.step(20)
    device.tripped = False
    device.fail_test()
    for _ in range(MAX_RETRIES):
        assert not device.step(RETRY_AFTER_MS - 1)[0]
        device.step(1)
        device.fail_test()
    assert not device.step(RETRY_AFTER_MS)[0]


def test_a_trip_is_shown_and_asks_for_a_test():
    device = _Device()
    device.pass_test()
    device.tripped = True
    assert device.step(20) == (False, False, False) and device.rcd.tripped
    device.tripped = False
    assert device.step(20)[0] and not device.rcd.tripped


def test_without_test_input_only_the_trip_counts():
    device = _Device(can_test=False)
    for tripped in (False, True, False):
        device.tripped = tripped
        assert device.step(2 * DAY_MS) == (False, not tripped, False) and device.rcd.tripped == tripped
