"""Time inside transactions: it runs on from the begin, whatever the clock is set to meanwhile."""

from harness import FakeClock

from firmware.store.timeline import Timelines


def test_time_runs_on_from_the_begin_when_the_clock_is_moved():
    # OCPP 1.6 §3.16: timestamps of a transaction that go back make a negative duration of it
    clock = FakeClock(unix=1_800_000_000)
    lines = Timelines(clock)
    assert lines.time(7) is None
    lines.begin(7, clock.now())
    clock.advance(90_000)
    clock.unix = 1_700_000_000
    assert lines.time(7) == 1_800_000_090 == lines.seconds(7)
    assert lines.time(7, ago_s=30) == 1_800_000_060
    assert lines.time(7, ago_s=91) == 1_800_000_000  # not before the begin
    clock.advance(999)
    assert lines.time(7) == 1_800_000_090
    clock.advance(1)
    assert lines.time(7) == 1_800_000_091
    lines.end(7)
    assert lines.time(7) is None
    lines.end(7)  # an end may be repeated


def test_a_begin_without_a_known_time_stays_on_the_clock_of_its_power_on():
    clock = FakeClock(synchronised=False)
    lines = Timelines(clock)
    clock.advance(5_000)
    lines.begin(7, (3, 5))
    clock.advance(60_000)
    clock.set_unix(1_800_000_000, "ocpp")
    assert lines.time(7) == (3, 65) and lines.seconds(7) == 65
    assert lines.time(7, ago_s=100) == (3, 5)


def test_the_time_of_an_earlier_power_on_stands_still():
    clock = FakeClock(unix=1_800_000_000)
    lines = Timelines(clock)
    lines.resume(7, 1_700_000_000, 600)
    lines.resume(8, (3, 5), 40)
    lines.resume(9, 1_700_000_000, -5)  # a clock that was set back in between
    clock.advance(90_000)
    assert lines.time(7) == 1_700_000_600 and lines.time(7, ago_s=200) == 1_700_000_400
    assert lines.time(8) == (3, 45)
    assert lines.time(9) == 1_700_000_000
