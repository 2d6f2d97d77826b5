"""Residual current device: the self-test sequence, when it is due, and what a failure means (IEC 62955)."""

from evse_bench import Bench

from firmware.evse.rcd_supervision import RcdSupervision

DAY_MS = 86_400_000


def _tests(bench, ms, step=20):
    """Returns how many tests begin within `ms`."""
    count = 0
    level = bench.out.rcd_test
    end = bench.now + ms
    while bench.now < end:
        bench.step(step)
        count += bench.out.rcd_test and not level
        level = bench.out.rcd_test
    return count


def test_boot_tests_once_and_before_anything_closes():
    bench = Bench(start=False)
    bench.machine.wishes.permitted = True
    bench.plug("C")
    passed_first = False
    while not bench.out.close:
        passed_first = bench.machine.supervision.rcd.passed
        bench.step()
        assert bench.now < 5_000
    assert passed_first
    assert _tests(bench, 10_000) == 0


def test_a_test_takes_less_than_a_second_and_leaves_the_line_low():
    bench = Bench(start=False)
    assert bench.until(lambda: bench.machine.supervision.rcd.passed, 1_000) is not None
    assert not bench.out.rcd_test and bench.names == []


def test_each_return_to_a_and_every_24_hours():
    bench = Bench()
    bench.charge()
    assert _tests(bench, 5_000) == 0
    bench.unplug()
    assert _tests(bench, 5_000) == 1
    assert _tests(bench, DAY_MS - 10_000, step=1_000) == 0
    assert _tests(bench, 20_000) == 1


def test_never_with_a_closed_contactor():
    bench = Bench()
    bench.charge()
    assert _tests(bench, DAY_MS + 10_000, step=1_000) == 0
    bench.welded = True
    bench.unplug()
    assert _tests(bench, 20_000) == 0


def test_a_device_that_does_not_answer_blocks():
    bench = Bench(start=False)
    bench.rcd_dead = True
    assert 1_000 <= bench.until(lambda: bench.names == ["rcd_test_failed"], 3_000) <= 1_100
    assert not bench.out.rcd_test
    bench.machine.wishes.permitted = True
    bench.plug("C")
    assert bench.closes(10_000) is None


def test_a_device_that_does_not_release_fails_the_test():
    rcd = RcdSupervision()
    now = 0
    while not rcd.test:
        rcd.step(False, False, True, now)
        now += 20
    while now < 5_000:
        rcd.step(True, False, True, now)
        now += 20
    assert rcd.failed and not rcd.passed


def test_a_device_may_take_2_s_to_release():
    """Data sheets of common devices: 2.03 to 2.1 s."""
    rcd = RcdSupervision()
    now = 0
    while not rcd.test:
        rcd.step(False, False, True, now)
        now += 20
    for tripped_ms in range(0, 2_100, 20):
        rcd.step(True, False, True, now + tripped_ms)
    rcd.step(False, False, True, now + 2_100)
    assert rcd.passed and not rcd.failed


def test_three_retries_15_minutes_apart_then_no_more():
    bench = Bench(start=False)
    bench.rcd_dead = True
    bench.plug()
    assert _tests(bench, 5_000) == 1
    assert _tests(bench, 890_000, step=100) == 0
    assert _tests(bench, 3_000_000, step=100) == 3
    assert _tests(bench, 3_000_000, step=100) == 0
    bench.unplug()
    assert _tests(bench, 5_000) == 0 and bench.names == ["rcd_test_failed"]


def test_unplugging_before_that_tests_again_and_a_good_test_clears():
    bench = Bench(start=False)
    bench.rcd_dead = True
    bench.plug()
    bench.run(5_000)
    bench.rcd_dead = False
    bench.unplug()
    assert _tests(bench, 5_000) == 1
    assert bench.names == [] and bench.machine.supervision.rcd.passed


def test_a_trip_latches_after_three_retries():
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    for _ in range(4):
        bench.vehicle = "C"
        assert bench.closes(1_000_000) is not None
        bench.rcd_fault = True
        bench.run(500)
        assert bench.names == ["rcd_tripped"]
        bench.rcd_fault = False
    assert bench.closes(2_000_000) is None
    bench.unplug()
    bench.run(5_000)
    assert bench.names == ["rcd_tripped"]


def test_a_trip_ends_with_unplugging():
    bench = Bench()
    bench.charge()
    bench.rcd_fault = True
    bench.run(500)
    bench.rcd_fault = False
    bench.unplug()
    bench.run(3_000)
    assert bench.names == [] and bench.machine.supervision.rcd.passed
    bench.charge()


def test_a_device_without_test_input_is_trusted_until_it_trips():
    bench = Bench(rcd_test=False)
    bench.charge()
    bench.rcd_fault = True
    bench.run(100)
    assert not bench.out.close and not bench.out.rcd_test
