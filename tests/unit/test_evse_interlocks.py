"""Each fault in the machine: the contactor is open in time, the pilot says so, and the recovery is the table's."""

from evse_bench import Bench

from firmware.evse import pilot_output
from firmware.evse import reclosing as r
from firmware.evse.limits import STATE_F, STEADY


def _opens(bench, limit_ms):
    elapsed = bench.opens(limit_ms + 20)
    assert elapsed is not None and elapsed <= limit_ms, elapsed
    return elapsed


def test_a_fault_while_charging_shows_state_f_for_300_ms_then_plus_12_v():
    """Table A.5; +12 V afterwards, so that unplugging stays visible."""
    bench = Bench()
    bench.charge()
    bench.faults.raise_fault("other", bench.now)
    bench.step()
    assert not bench.out.close and bench.out.duty == STATE_F
    elapsed = bench.until(lambda: bench.out.duty == STEADY, 1_000)
    assert pilot_output.STATE_F_AT_LEAST_MS <= elapsed <= pilot_output.STATE_F_AT_LEAST_MS + 20
    bench.run(1_000)
    assert bench.out.duty == STEADY and bench.machine.state == "C"


def test_30_s_after_a_fault_before_it_closes_again():
    bench = Bench()
    bench.charge()
    bench.faults.raise_fault("other", bench.now)
    bench.run(1_000)
    bench.faults.clear_fault("other")
    bench.step()
    elapsed = bench.closes(40_000)
    assert r.RECLOSE_AFTER_FAULT_MS - 40 <= elapsed <= r.RECLOSE_AFTER_FAULT_MS + 200


def test_pilot_shorted_to_pe():
    """A.6 seq. 12 allows 3 s; there is no reason to wait."""
    bench = Bench()
    bench.charge()
    bench.vehicle = "E"
    _opens(bench, 100)
    bench.run(1_000)
    assert bench.names == ["cp_short"] and bench.machine.state == "E" and not bench.locked
    bench.vehicle = "C"
    elapsed = bench.closes(60_000)
    assert 30_000 <= elapsed <= 31_000
    assert bench.names == []


def test_ventilation_is_refused():
    bench = Bench()
    bench.charge()
    bench.vehicle = "D"
    _opens(bench, 100)
    bench.run(600)
    assert bench.names == ["ventilation"] and bench.out.duty == STEADY
    bench.vehicle = "C"
    assert 30_000 <= bench.closes(60_000) <= 31_000


def test_no_diode_never_closes():
    bench = Bench()
    bench.diode = False
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(300)
    bench.vehicle = "C"
    assert bench.closes(20_000) is None
    assert bench.names == ["diode"] and bench.out.duty == STEADY
    bench.unplug()
    bench.run(1_000)
    assert bench.names == []


def test_a_diode_that_fails_while_charging():
    bench = Bench()
    bench.charge()
    bench.diode = False
    _opens(bench, 140)
    assert bench.names == ["diode"]
    bench.diode = True
    assert 30_000 <= bench.closes(60_000) <= 31_000


def test_a_pilot_that_cannot_be_measured_opens_within_100_ms():
    bench = Bench()
    bench.charge()
    bench.sampled = False
    _opens(bench, 100)
    assert bench.names == ["cp_open"]


def test_a_pilot_out_of_range_opens_within_100_ms():
    bench = Bench()
    bench.charge()
    bench.noise_mv = 9_000
    _opens(bench, 100)
    bench.run(600)
    assert bench.names == ["cp_open"]


def test_emergency_stop_until_released_and_unplugged():
    bench = Bench()
    bench.charge()
    bench.inputs.emergency = True
    _opens(bench, 60)
    bench.run(5_000)
    bench.inputs.emergency = False
    assert bench.closes(60_000) is None
    assert bench.names == ["emergency_stop"]
    bench.unplug()
    bench.run(1_000)
    assert bench.names == []


def test_welded_contactor():
    bench = Bench()
    bench.charge()
    bench.welded = True
    bench.vehicle = "B"
    bench.run(100)
    assert not bench.out.close
    elapsed = bench.until(lambda: bench.names == ["contactor_welded"], 3_000)
    assert 1_100 <= elapsed <= 1_300  # 1 s to settle and 250 ms of debounce after the opening
    assert bench.locked  # nobody pulls a live plug
    bench.vehicle = "C"
    assert bench.closes(60_000) is None


def test_a_contact_that_is_closed_before_the_command_forbids_closing_at_once():
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(2_000)
    bench.vehicle = "C"
    bench.run(480)
    bench.welded = True
    assert bench.closes(10_000) is None


def test_contactor_that_does_not_close():
    bench = Bench()
    bench.stuck_open = True
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(2_000)
    bench.vehicle = "C"
    bench.closes(3_000)
    elapsed = bench.opens(3_000)
    assert 1_200 <= elapsed <= 1_320 and bench.names == ["contactor_stuck_open"]


def test_without_auxiliary_contact_there_is_no_verdict():
    bench = Bench()
    bench.aux = False
    bench.charge()
    bench.stuck_open = True
    bench.run(4_000)
    assert bench.out.close and bench.names == []
    bench.vehicle = "B"
    bench.welded = True
    bench.run(10_000)
    assert bench.names == []


def _read(bench, milliamps, moves=True):
    """The meter is read, which takes until a second later."""
    bench.inputs.energy_wh = (bench.inputs.energy_wh or 0) + (1 if moves else 0)
    bench.inputs.currents_ma = (milliamps, 0, 0)
    bench.run(1_000)


def test_current_behind_an_open_contactor_is_a_weld_where_no_contact_tells():
    bench = Bench()
    bench.aux = False
    bench.charge()
    _read(bench, 16_000)
    bench.vehicle = "B"  # by its pilot; its charger goes on
    for _ in range(5):
        _read(bench, 16_000)
        assert bench.names == []
    _read(bench, 16_000)
    assert bench.names == ["contactor_welded"] and bench.locked
    bench.unplug()
    bench.machine.wishes.permitted = bench.machine.wishes.hold_plug = False
    for _ in range(5):
        _read(bench, 16_000)
        assert bench.locked and bench.out.lock  # nobody pulls a live plug


def test_a_meter_that_stands_still_holds_no_cable():
    """M2: the meter, or its gateway, repeats what it read last while the vehicle stops and leaves."""
    for aux in (True, False):
        for moves in (False, True) if aux else (False,):
            bench = Bench()
            bench.aux = aux
            bench.charge()
            _read(bench, 16_000)
            bench.vehicle = "B"
            for _ in range(9):
                _read(bench, 16_000, moves)
            assert bench.names == ["meter_frozen"] and not bench.faults.blocking
            bench.unplug()
            bench.machine.wishes.permitted = bench.machine.wishes.hold_plug = False
            for _ in range(4):
                _read(bench, 16_000, moves)
            assert not bench.locked and bench.names == ["meter_frozen"]
            _read(bench, 0)
            assert bench.names == []


def test_what_the_meter_showed_before_is_no_weld():
    """A slow bus brings its last reading late, one reading may be wrong, and electronics draw something."""
    bench = Bench()
    bench.aux = False
    bench.charge()
    _read(bench, 16_000)
    bench.vehicle = "B"
    bench.run(2_800)
    for milliamps in (16_000, 900, 16_000, 900, 900, 900):
        _read(bench, milliamps)
    assert bench.names == []


def test_residual_current_opens_after_50_ms():
    bench = Bench()
    bench.charge()
    bench.rcd_fault = True
    assert 40 <= _opens(bench, 100)
    assert bench.names == ["rcd_tripped"]


def test_a_residual_current_spike_is_not_a_trip():
    bench = Bench()
    bench.charge()
    bench.rcd_fault = True
    bench.run(40)
    bench.rcd_fault = False
    bench.run(1_000)
    assert bench.out.close


def test_residual_current_is_retried_after_15_minutes_and_a_test():
    bench = Bench()
    bench.charge()
    bench.rcd_fault = True
    bench.run(1_000)
    bench.rcd_fault = False
    elapsed = bench.closes(1_000_000)
    assert 899_000 <= elapsed <= 902_000


def test_overcurrent_for_5_s():
    """(I + 0.5 A) x 1.10."""
    bench = Bench(supply_ma=16_000)
    bench.charge()
    bench.inputs.currents_ma = (18_150, 0, 0)
    assert bench.opens(20_000) is None
    bench.inputs.currents_ma = (0, 18_200, 0)
    assert 5_000 <= _opens(bench, 5_060)
    assert bench.names == ["overcurrent"]


def test_a_vehicle_that_follows_a_reduction_in_5_s_is_no_overcurrent():
    bench = Bench()
    bench.charge()
    bench.run(5_000)
    bench.inputs.currents_ma = (32_000, 32_000, 32_000)
    bench.run(10_000)
    for milliamps in (20_000, 10_000, 6_000):
        bench.limits.set("group", milliamps)
        bench.run(5_000)
        bench.inputs.currents_ma = (milliamps,) * 3
        bench.run(1_000)
    assert bench.out.close and bench.names == []


def test_no_overcurrent_without_reading_or_while_paused():
    bench = Bench()
    bench.charge()
    bench.inputs.currents_ma = (None, 1_000, None)
    bench.run(10_000)
    bench.inputs.currents_ma = None
    bench.run(10_000)
    bench.inputs.currents_ma = (32_000,) * 3
    bench.machine.wishes.permitted = False
    bench.run(10_000)
    assert bench.names == []


def test_voltages():
    for voltages, name, phases in (
        ((230_000, 258_000, 230_000), "overvoltage", 3),
        ((230_000, 190_000, 230_000), "undervoltage", 3),
        ((230_000, 230_000, 20_000), "phase_loss", 3),
        ((100_000, 230_000, 230_000), "undervoltage", 1),
        ((90_000,), "undervoltage", 3),
        ((0, 0, 0), "undervoltage", 3),
    ):
        bench = Bench(phases=phases)
        bench.charge()
        bench.inputs.voltages_mv = voltages
        _opens(bench, 3_100)
        assert bench.names == [name], voltages
        bench.inputs.voltages_mv = (230_000,) * len(voltages)
        assert 30_000 <= bench.closes(60_000) <= 31_000, voltages


def test_a_single_phase_station_does_not_miss_the_other_two():
    bench = Bench(phases=1)
    bench.charge()
    bench.inputs.voltages_mv = (230_000, 0, 0)
    bench.run(20_000)
    assert bench.out.close and bench.names == []


def test_warm_is_6_amperes_and_hot_is_off_until_10_minutes_below_60():
    """EVSE F17 from 60 to 80 degrees, F10 above."""
    bench = Bench()
    bench.charge()
    bench.inputs.temperature_dc = 600
    bench.run(6_000)
    assert bench.names == ["derated"] and bench.machine.offered_ma == 6_000 and bench.out.close
    assert bench.limits.allowed() == (6_000, "temperature")
    bench.inputs.temperature_dc = 590
    bench.run(1_000)
    assert bench.names == ["derated"]  # hysteresis
    bench.inputs.temperature_dc = 570
    bench.run(6_000)
    assert bench.names == [] and bench.machine.offered_ma == 32_000
    bench.inputs.temperature_dc = 801
    assert 1_000 <= _opens(bench, 1_060)
    assert bench.names == ["overtemperature", "derated"]
    bench.inputs.temperature_dc = 610
    bench.run(1_200_000)
    assert "overtemperature" in bench.names
    bench.inputs.temperature_dc = 500
    elapsed = bench.closes(1_000_000)
    assert 630_000 <= elapsed <= 632_000


def test_broken_temperature_sensor_stops_charging_until_10_minutes_below_60():
    """EVSE F10 is both: too hot, and no sensor."""
    bench = Bench()
    bench.charge()
    bench.inputs.temperature_dc = None
    assert 1_000 <= _opens(bench, 1_060)
    assert bench.names == ["temperature_sensor"]
    bench.inputs.temperature_dc = 600
    bench.run(700_000)
    assert bench.names == ["temperature_sensor", "derated"]
    bench.inputs.temperature_dc = 250
    assert 630_000 <= bench.closes(1_000_000) <= 632_000


def test_a_spike_of_the_temperature_sensor_stops_nothing():
    bench = Bench()
    bench.charge()
    for spike in (1_200, None):
        bench.inputs.temperature_dc = spike
        bench.run(900)
        bench.inputs.temperature_dc = 250
        bench.run(6_000)
        assert bench.out.close and bench.names == []


def test_an_extreme_temperature_stays_until_the_next_start():
    bench = Bench()
    bench.charge()
    bench.inputs.temperature_dc = 1_001
    bench.run(2_000)
    bench.inputs.temperature_dc = 250
    bench.unplug()
    bench.run(1_200_000)
    assert bench.names == ["overtemperature"]


def test_a_connector_without_sensor_charges():
    bench = Bench(thermistor=False)
    bench.inputs.temperature_dc = None
    bench.charge()
    bench.run(5_000)
    assert bench.out.close


def test_a_warning_does_not_stop_charging():
    bench = Bench()
    bench.charge()
    for name in ("meter_lost", "reader_lost", "brown_out", "watchdog_reset"):
        bench.faults.raise_fault(name, bench.now)
    bench.run(5_000)
    assert bench.out.close and len(bench.names) == 4


def test_the_offer_falls_in_a_straight_line_where_that_is_set():
    bench = Bench()
    bench.machine.supervision.derating.warm_dc, bench.machine.supervision.derating.floor_dc = 500, 760
    bench.charge()
    offers = []
    for tenths in (499, 500, 600, 615, 590, 700, 760, 790):
        bench.inputs.temperature_dc = tenths
        bench.run(12_000)
        offers.append(bench.machine.offered_ma // 1000)
    # 26 A over 26 degrees; 59 C after 61.5 C counts as 61.0 C, so that the offer does not flutter.
    assert offers == [32, 32, 22, 20, 21, 12, 6, 6]
    assert bench.out.close


def test_current_that_nobody_measures_is_10_amperes():
    """EVSE F16; a meter that has never shown currents is none to miss."""
    bench = Bench()
    bench.charge()
    assert bench.names == [] and bench.machine.offered_ma == 32_000
    bench.inputs.currents_ma = (16_000,) * 3
    bench.run(6_000)
    bench.inputs.currents_ma = None
    bench.run(6_000)
    assert bench.names == ["overcurrent_blind"] and bench.machine.offered_ma == 10_000 and bench.out.close
    bench.inputs.currents_ma = (10_000,) * 3
    bench.run(6_000)
    assert bench.names == [] and bench.machine.offered_ma == 32_000


def test_unequal_phases_are_20_amperes_until_the_vehicle_has_gone():
    """EVSE F15, where the grid operator wants it."""
    bench = Bench()
    bench.charge()
    bench.inputs.currents_ma = (32_000, 0, 0)
    bench.run(10_000)
    assert bench.names == []
    bench.machine.wishes.max_imbalance_ma = 20_000
    bench.run(12_000)
    assert bench.names == ["imbalance"] and bench.machine.offered_ma == 20_000 and bench.out.close
    bench.inputs.currents_ma = (20_000, 0, 0)
    bench.run(20_000)
    assert bench.machine.offered_ma == 20_000
    bench.inputs.currents_ma = (0, 0, 0)
    bench.unplug()
    bench.run(2_000)
    assert bench.names == [] and bench.limits.get("imbalance") is None
