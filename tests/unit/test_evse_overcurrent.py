"""Over-current: a vehicle has 5 s to follow each change of the offer (IEC 61851-1 A.5.3), and no more."""

import random

from evse_bench import Bench

_METER_MS = 1_000


class _Vehicle:
    """Follows each new offer after `follow_ms` (None: never); a meter shows its current `late_ms` later."""

    def __init__(self, bench, follow_ms, late_ms=0):
        self.bench = bench
        self.follow_ms = follow_ms
        self.late_ms = late_ms
        self.draws_ma = bench.machine.offered_ma
        self._offered = bench.machine.offered_ma
        self._coming = []  # (when, mA) that it will draw
        self._seen = []  # (when, mA) that the meter will show
        self._read_at = 0

    def run(self, ms):
        bench = self.bench
        end = bench.now + ms
        while bench.now < end:
            bench.step()
            offered = bench.machine.offered_ma
            if offered != self._offered:
                self._offered = offered
                if self.follow_ms is not None:
                    self._coming.append((bench.now + self.follow_ms, offered))
            while self._coming and self._coming[0][0] <= bench.now:
                self.draws_ma = self._coming.pop(0)[1]
            if bench.now >= self._read_at:
                self._read_at = bench.now + _METER_MS
                self._seen.append((bench.now + self.late_ms, self.draws_ma if bench.out.close else 0))
            while self._seen and self._seen[0][0] <= bench.now:
                bench.inputs.currents_ma = (self._seen.pop(0)[1],) * 3


def _charging(follow_ms, late_ms=0, **options):
    bench = Bench(**options)
    bench.charge()
    vehicle = _Vehicle(bench, follow_ms, late_ms)
    vehicle.run(10_000)
    return bench, vehicle


def test_two_steps_down_with_a_vehicle_that_follows_each_after_4_9_s():
    """V3: 32 A, 20 A, 5.3 s later 13 A."""
    for phase_ms in (0, 300, 600):  # of the meter's readings
        bench, vehicle = _charging(4_900)
        vehicle.run(phase_ms)
        bench.limits.set("group", 20_000)
        vehicle.run(5_300)
        bench.limits.set("group", 13_000)
        vehicle.run(8_000)
        assert bench.names == [] and bench.out.close, phase_ms


def test_no_sequence_of_steps_trips_a_vehicle_that_follows():
    """V3: any steps at any time, pauses and a slow meter included; socket and fixed cable."""
    for seed in range(4):
        random.seed(seed)
        bench, vehicle = _charging(random.randint(100, 4_900), random.randint(0, 2_000), fixed_cable=bool(seed % 2))
        for _ in range(15):
            bench.limits.set("group", random.choice((0, 6, 8, 10, 13, 16, 20, 25, 32)) * 1_000)
            vehicle.run(random.randint(100, 9_000))
            assert bench.names == [], seed


def test_one_ampere_less_every_5_s_is_followed_in_time():
    """V3: nothing runs on over a step down."""
    bench, vehicle = _charging(4_900, 1_500)
    for amps in range(31, 5, -1):
        bench.limits.set("group", amps * 1_000)
        vehicle.run(5_020)
    vehicle.run(10_000)
    assert bench.names == []


def test_a_vehicle_that_does_not_follow_trips_5_s_after_its_5_s():
    for step_ma in (25_000, 13_000, 6_000):
        bench, vehicle = _charging(None)
        bench.limits.set("group", step_ma)
        began = bench.now
        while bench.out.close and bench.now - began < 20_000:
            vehicle.run(20)
        assert 10_000 <= bench.now - began <= 11_100, step_ma
        assert bench.names == ["overcurrent"]


def test_a_vehicle_that_never_follows_trips_in_the_middle_of_a_ramp():
    """V3: steps that come every 5 s do not start the time again for what was too much before."""
    bench, vehicle = _charging(None)
    began = bench.now
    for amps in range(31, 5, -1):
        bench.limits.set("group", amps * 1_000)
        vehicle.run(5_020)
    assert "overcurrent" in bench.names and not bench.out.close
    assert bench.now - began > 40_000  # 10 % and 0.5 A are tolerance


def test_more_than_was_ever_offered_trips_after_5_s():
    bench, vehicle = _charging(0, supply_ma=16_000)
    vehicle.follow_ms = None
    vehicle.draws_ma = 18_200
    began = bench.now
    while bench.out.close and bench.now - began < 20_000:
        vehicle.run(20)
    assert 5_000 <= bench.now - began <= 6_100
