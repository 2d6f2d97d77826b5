"""The board's time: rate, drift, and a real-time clock that survives the power or does not."""

from harness import raises

from tools.sim.world.clock import EPOCH_2000, BoardClock


class Host:
    def __init__(self):
        self.us = 5_000_000_000
        self.unix = 1_800_000_000
        self.clock = BoardClock(lambda: self.us, lambda: self.unix)

    def wait(self, seconds):
        self.us += seconds * 1_000_000
        self.unix += seconds


def test_starts_at_zero_and_follows_the_host():
    host = Host()
    assert host.clock.ms() == 0
    host.wait(3)
    assert host.clock.ms() == 3000 and host.clock.unix() == 1_800_000_003


def test_rate_changes_while_time_runs():
    host = Host()
    host.wait(10)
    host.clock.set_speed(rate=60)
    assert host.clock.ms() == 10_000
    host.wait(10)
    assert host.clock.ms() == 610_000
    assert host.clock.to_real_us(60_000) == 1000
    host.clock.set_speed(rate=1)
    host.wait(1)
    assert host.clock.ms() == 611_000


def test_work_takes_the_time_of_the_board_and_not_that_of_the_host():
    for rate in (1, 20, 1000):
        host = Host()
        host.clock.set_speed(rate=rate)
        host.wait(1)
        began = host.clock.us()
        for reads in range(1, 41):
            host.us += 2
            assert host.clock.spend(50) == began + 2 * rate + 50 * reads
        assert host.clock.us() >= began + 2 * rate + 2000


def test_the_clock_waits_for_real_time_after_work():
    host = Host()
    host.wait(1)
    host.clock.spend(4000)
    assert host.clock.us() == 1_004_000
    host.us += 3000
    assert host.clock.us() == 1_004_000
    host.us += 2000
    assert host.clock.us() == 1_005_000
    assert host.clock.spend(50) == 1_005_050


def test_drift_is_in_every_clock():
    host = Host()
    host.clock.set_speed(drift_ppm=-100)
    for _ in range(100):
        host.wait(100)
        host.clock.ms()
    assert host.clock.ms() == 9_999_000
    assert host.clock.unix() == 1_800_000_000 + 9_999


def test_long_runs_lose_nothing():
    host = Host()
    host.clock.set_speed(rate=1000)
    for _ in range(500):
        host.wait(30)
        host.clock.us()
    assert host.clock.ms() == 500 * 30 * 1000 * 1000


def test_limits():
    clock = Host().clock
    for rate in (0, -1, 1001):
        with raises(ValueError):
            clock.set_speed(rate=rate)
    with raises(ValueError):
        clock.set_speed(drift_ppm=200_000)
    assert clock.rate == 1


def test_battery_keeps_the_time_while_the_power_is_off():
    host = Host()
    host.clock.set_unix(1_900_000_000)
    host.wait(5)
    kept = host.clock.keep()
    host.unix += 60
    fresh = BoardClock(lambda: host.us, lambda: host.unix)
    fresh.restore(*kept)
    assert fresh.unix() == 1_900_000_065


def test_without_battery_it_begins_in_2000():
    host = Host()
    host.clock.lose()
    host.wait(7)
    assert host.clock.unix() == EPOCH_2000 + host.clock.ms() // 1000
    host.clock.set_unix(1_900_000_000)
    fresh = BoardClock(lambda: host.us, lambda: host.unix)
    fresh.restore(*host.clock.keep())
    assert fresh.unix() == EPOCH_2000
