"""What the meter shows of supply and load: each threshold to the millivolt and milliampere."""

from evse_bench import Bench

_OK = 230_000
_NAMES = ("phase_loss", "overvoltage", "undervoltage")


def _judged(bench, *voltages):
    """Shows voltages long enough to be believed; returns the faults of the supply."""
    bench.inputs.voltages_mv = voltages
    bench.run(40)
    for _ in range(3):
        bench.step(5_000)
    return [name for name in bench.names if name in _NAMES]


def test_voltages_out_of_range():
    """EN 50160: 230 V +10 % and -15 %, and the accuracy of the meter."""
    for voltages, names in (
        ((257_000, _OK, 195_000), []),
        ((_OK, 257_001, _OK), ["overvoltage"]),
        ((_OK, _OK, 194_999), ["undervoltage"]),
        ((257_001, 194_999, _OK), ["overvoltage", "undervoltage"]),
        ((115_000, _OK, _OK), ["undervoltage"]),
        ((114_999, _OK, _OK), ["phase_loss"]),
        ((0, _OK, 0), ["phase_loss"]),
        ((0, _OK, 190_000), ["phase_loss", "undervoltage"]),
        ((0, 0, 0), ["undervoltage"]),
        ((None, _OK, 258_000), ["overvoltage"]),
        ((0, None, _OK), ["phase_loss"]),
        ((0, _OK), ["phase_loss"]),
        ((0,), ["undervoltage"]),
    ):
        bench = Bench(fixed_cable=True)
        assert _judged(bench, *voltages) == names, voltages
        bench.inputs.voltages_mv = None
        bench.step(20)
        bench.step(10_000)
        assert bench.names == [], "no voltages, no verdict"


def test_only_the_phases_that_are_fitted_count():
    """A three-phase meter in a single-phase installation has nothing, or anything, on the other two."""
    bench = Bench(fixed_cable=True, phases=1)
    assert _judged(bench, _OK, 0, 400_000) == []
    assert _judged(bench, 0, _OK, _OK) == ["undervoltage"]


def test_how_long_a_voltage_has_to_last_and_to_be_gone():
    for millivolts, name, ms in ((258_000, "overvoltage", 2_000), (190_000, "undervoltage", 3_000)):
        bench = Bench(fixed_cable=True)
        bench.inputs.voltages_mv = (millivolts, _OK, _OK)
        bench.step()
        bench.step(ms - 1)
        assert bench.names == []
        bench.step(1)
        assert bench.names == [name]
        bench.inputs.voltages_mv = (_OK, _OK, _OK)
        bench.step()
        bench.step(9_999)
        assert bench.names == [name]
        bench.step(1)
        assert bench.names == []


def _charging(**options):
    bench = Bench(fixed_cable=True, **options)
    bench.charge()
    bench.run(6_000)
    return bench


def _trips(bench, *currents_ma):
    """Shows currents; returns whether they are an over-current after the 5 s of its debounce."""
    bench.inputs.currents_ma = currents_ma
    bench.step()
    bench.step(4_999)
    assert bench.names == []
    bench.step(1)
    return "overcurrent" in bench.names


def test_half_an_ampere_and_ten_percent_more_than_is_offered():
    """(I + 0.5 A) x 1.10, in any phase."""
    for supply_ma, most_ma in ((16_000, 18_150), (10_000, 11_550)):
        assert not _trips(_charging(supply_ma=supply_ma), most_ma, most_ma, most_ma)
        for phase in range(3):
            currents_ma = [0, None, 0]
            currents_ma[phase] = most_ma + 1
            assert _trips(_charging(supply_ma=supply_ma), *currents_ma)
    assert not _trips(_charging(), None, None, None)


def test_the_last_offer_counts_for_5_s():
    """V3, IEC 61851-1 A.5.3: what a vehicle has to follow a duty cycle; the debounce comes behind it."""
    bench = _charging()
    bench.inputs.currents_ma = (30_000,) * 3
    bench.run(1_000)
    bench.limits.set("group", 20_000)
    bench.step()
    assert bench.machine.offered_ma == 20_000
    bench.step()
    for ms, names in ((5_000, []), (1, []), (4_999, []), (1, ["overcurrent"])):
        bench.step(ms)
        assert bench.names == names, ms


def test_of_all_offers_within_5_s_the_largest_counts():
    bench = _charging(supply_ma=10_000)
    for milliamps in (32_000, 16_000, 10_000):
        bench.limits.set("supply", milliamps)
        bench.step(5_000)
        bench.step()
        assert bench.machine.offered_ma == milliamps
    bench.inputs.currents_ma = (17_000,) * 3  # of the 16 A before
    for ms, names in ((5_000, []), (1, []), (4_999, []), (1, ["overcurrent"])):
        bench.step(ms)
        assert bench.names == names, ms


def test_too_much_current_is_no_fault_any_more_once_the_offer_is_withdrawn():
    """A.6 seq. 10.2: the vehicle has 6 s, and then it is disconnected."""
    bench = _charging(supply_ma=16_000)
    bench.inputs.currents_ma = (18_200,) * 3
    bench.step()
    bench.step(4_500)
    bench.machine.wishes.permitted = False
    bench.step()
    for ms, closed in ((1_000, True), (4_999, True), (1, False)):
        bench.step(ms)
        assert bench.out.close == closed and bench.names == [], ms


def test_an_offer_after_a_pause_counts_from_its_first_moment_on():
    bench = _charging()
    bench.inputs.currents_ma = (16_000,) * 3
    bench.limits.set("group", 0)
    bench.run(3_500)
    bench.limits.set("group", 16_000)
    assert bench.until(lambda: bench.pwm, 2_000) is not None
    bench.run(8_000)
    assert bench.names == [] and bench.out.close


def test_a_vehicle_without_load_lets_the_contactor_open_before_its_s2():
    """A.6 seq. 10.2: not before the meter was read after the offer had been withdrawn."""
    for currents_ma, ms in (((1_000, 0, 1_000), 20), ((1_001, 0, 0), 6_000), ((0, None, 0), 6_000), (None, 6_000)):
        bench = _charging()
        bench.inputs.currents_ma = (0, 0, 0)
        bench.run(40)
        bench.machine.wishes.permitted = False
        bench.step()
        assert not bench.pwm
        bench.step(500)
        assert bench.out.close, "the reading is from before"
        bench.inputs.currents_ma = currents_ma
        bench.step()
        assert bench.out.close == (ms > 20), currents_ma
        if ms > 20:
            bench.step(ms - 521)
            assert bench.out.close
            bench.step(1)
            assert not bench.out.close and bench.machine.forced_openings == 1


def test_phases_that_differ_by_more_than_is_set():
    """EVSE F15."""
    for currents_ma, most_ma, unequal in (
        ((20_000, 4_000, 10_000), 16_000, False),
        ((20_001, 4_000, 10_000), 16_000, True),
        ((20_001, 4_000, 10_000), 0, False),
        ((20_001, 4_000, None), 16_000, False),
        (None, 16_000, False),
        ((20_001,), 16_000, False),
        ((2, 0, 0), 1, True),
    ):
        bench = Bench(fixed_cable=True)
        bench.machine.wishes.max_imbalance_ma = most_ma
        bench.inputs.currents_ma = currents_ma
        bench.step()
        bench.step(5_999)
        assert "imbalance" not in bench.names
        bench.step(1)
        assert ("imbalance" in bench.names) == unequal, currents_ma
        assert bench.limits.get("imbalance") == (20_000 if unequal else None)
