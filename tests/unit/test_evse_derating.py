"""The outlet's temperature: what lasts counts, what does not is noise (row V9)."""

from evse_bench import Bench

_SAMPLE_MS = 100  # the sensor is read ten times a second


def _charging(temperature_dc=250):
    bench = Bench()
    bench.charge()
    bench.inputs.temperature_dc = temperature_dc
    bench.run(12_000)
    return bench


def _spike(bench, value, ms):
    """Returns the names and offers that were seen from the spike on, until 3 s after it."""
    usual = bench.inputs.temperature_dc
    seen = []
    for temperature, length in ((value, ms), (usual, 3_000)):
        bench.inputs.temperature_dc = temperature
        end = bench.now + length
        while bench.now < end:
            bench.step()
            look = (tuple(bench.names), bench.machine.offered_ma, bench.out.close, bench.limits.allowed())
            if look not in seen:
                seen.append(look)
    return seen


def test_a_spike_changes_nothing_in_any_state():
    """V9: 110 ms at 75 C was 6 A within 40 ms. Warm and cold outlets, spikes up, down, open and shorted sensors."""
    for temperature_dc in (250, 650):
        for value in (200, 750, 1_500, None):
            for ms in (110, 900):
                bench = _charging(temperature_dc)
                assert len(_spike(bench, value, ms)) == 1, (temperature_dc, value, ms)


def test_spikes_one_after_the_other_change_nothing():
    bench = _charging()
    for _ in range(3):
        assert len(_spike(bench, 950, 110)) == 1
    for i in range(100):  # a sensor that has lost its contact every other time
        bench.inputs.temperature_dc = (250, 900, 250, None)[i % 4]
        bench.run(_SAMPLE_MS)
    assert bench.names == [] and bench.out.close


def test_warmth_that_lasts_counts_after_a_second():
    bench = _charging()
    bench.inputs.temperature_dc = 700
    took = bench.until(lambda: bench.names == ["derated"], 3_000)
    assert 1_000 <= took <= 1_100
    bench.inputs.temperature_dc = 250
    assert 1_000 <= bench.until(lambda: bench.names == [], 3_000) <= 1_100


def test_what_is_believed_is_the_least_that_was_seen():
    bench = _charging()
    for temperature_dc in (650, 760, 640, 700, 900):
        bench.inputs.temperature_dc = temperature_dc
        bench.run(200)
    bench.inputs.temperature_dc = 610
    bench.run(200)
    assert bench.names == ["derated"] and bench.out.close
    assert bench.machine.supervision.derating._felt_dc == 610


def test_a_spike_does_not_begin_the_ten_minutes_again():
    """V9: a stop for heat ends 10 minutes after the outlet is cool, whatever the sensor flashes meanwhile."""
    for spike in (900, None):
        bench = _charging()
        bench.inputs.temperature_dc = 850
        bench.run(2_000)
        assert not bench.out.close
        bench.inputs.temperature_dc = 300
        bench.run(10_000)
        bench.inputs.temperature_dc = spike
        bench.run(110)
        bench.inputs.temperature_dc = 300
        bench.run(591_000)
        assert bench.names == []
