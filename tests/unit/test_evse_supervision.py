"""What each look at supply, load and temperature becomes: the cause of a fault, or a current limit."""

from evse_bench import Bench


def _charging(**options):
    bench = Bench(fixed_cable=True, **options)
    bench.charge()
    bench.run(6_000)
    return bench


def _reads(bench, millivolts, milliamps):
    bench.inputs.voltages_mv = (millivolts,) * 3
    bench.inputs.currents_ma = (milliamps,) * 3
    bench.step()


def test_a_missing_phase_is_a_fault():
    bench = Bench(fixed_cable=True)
    bench.inputs.voltages_mv = (230_000, 0, 230_000)
    bench.step()
    bench.step(3_000)
    assert bench.names == ["phase_loss"]


def test_a_supply_that_sags_twice_becomes_a_limit():
    """V6."""
    bench = _charging()
    for pause_ms in (30_000, 60_000):
        assert bench.limits.get("voltage") is None
        _reads(bench, 190_000, 32_000)
        bench.step(3_000)
        assert not bench.out.close and bench.names == ["undervoltage"]
        bench.step(900)
        _reads(bench, 230_000, 0)
        bench.step(pause_ms - 1_000)
        assert bench.closes(3_000) is not None
        bench.run(2_000)
    assert bench.limits.allowed() == (24_000, "voltage") and bench.machine.offered_ma == 24_000
    for ms in (5_000, 5_000, 5_000, 20):
        bench.step(ms)
    assert bench.names == []
    bench.step(600_000)
    bench.step()
    assert bench.limits.get("voltage") is None and bench.out.close


def _at(bench, temperature_dc):
    bench.inputs.temperature_dc = temperature_dc
    bench.step()
    bench.step(999)
    before = list(bench.names)
    bench.step(1)
    return before, bench.names


def test_heat_and_a_broken_sensor_are_faults():
    for temperature_dc, name in ((801, "overtemperature"), (None, "temperature_sensor")):
        bench = _charging()
        before, after = _at(bench, temperature_dc)
        assert name not in before and name in after and not bench.out.close
    bench = Bench(thermistor=False)
    assert _at(bench, None) == ([], [])


def test_warmth_is_a_warning_and_a_limit_of_what_the_supply_has():
    for supply_ma, left_ma in ((32_000, 22_000), (20_000, 14_000), (None, 51_000)):
        bench = Bench(supply_ma=supply_ma or 0)
        if supply_ma is None:
            bench.limits.clear("supply")
        derating = bench.machine.supervision.derating
        derating.warm_dc, derating.floor_dc = 500, 760
        assert _at(bench, 600) == ([], ["derated"]) and not bench.faults.blocking
        assert bench.limits.get("temperature") == left_ma
        assert _at(bench, 250) == (["derated"], []) and bench.limits.get("temperature") is None


def test_an_outlet_that_was_hot_is_so_after_a_restart():
    bench = Bench(fixed_cable=True)
    _at(bench, 850)
    bench.machine.restart(bench.now)
    bench.inputs.temperature_dc = 610
    bench.run(3_000)
    assert "overtemperature" in bench.names


def test_a_restart_does_not_wait_for_the_answer_to_what_was_withdrawn_before():
    """Seq. 10.1 is about a PWM; the vehicle has seen a state F since."""
    bench = _charging()
    bench.machine.wishes.permitted = False
    bench.step()
    assert not bench.pwm
    bench.machine.wishes.permitted = True
    bench.machine.restart(bench.now)
    assert 1_050 <= bench.until(lambda: bench.pwm, 5_000) <= 1_100
