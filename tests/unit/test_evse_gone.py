"""Whether a vehicle is there when the pilot cannot tell: while it is cut, in state F, or shorted to PE."""

from evse_bench import Bench

from firmware.evse.limits import STATE_F


def _cut(bench):
    """Brings a vehicle that charges to where the pilot is cut for another number of phases."""
    bench.charge()
    bench.machine.wishes.phases = 1
    bench.run(1_000)
    bench.vehicle = "B"
    assert bench.until(lambda: not bench.out.cp_connected or bench.out.duty == STATE_F, 10_000) is not None
    bench.run(1_000)


def _blind(bench):
    return not bench.out.cp_connected or bench.out.duty == STATE_F


def test_a_plug_that_is_pulled_while_the_pilot_is_cut_is_seen_by_its_proximity_contact():
    """V5"""
    for switch in (True, False):
        bench = Bench(pilot_switch=switch)
        _cut(bench)
        assert bench.machine.pilot.connected
        bench.unplug()
        took = bench.until(lambda bench=bench: not bench.machine.pilot.connected, 5_000)
        # A contact that chatters is no vehicle that goes: 1 s, after the 100 ms that the rating takes.
        assert took == 20 + 100 + 1_000
        assert bench.machine.state == "A" and bench.faults.unplugged
        # The change is made at once, and the next vehicle finds a pilot.
        assert bench.until(lambda bench=bench: not _blind(bench), 1_000) is not None
        assert bench.machine.phase_switch.phases == 1 and not bench.machine.phase_switch.holds
        bench.plug()
        bench.run(500)
        assert bench.machine.state == "B" and bench.machine.pilot.connected


def test_who_goes_while_the_pilot_is_cut_has_gone_for_every_part():
    bench = Bench(pilot_switch=True)
    _cut(bench)
    bench.unplug()
    assert bench.until(lambda: bench.out.rcd_test, 1_500) is not None, "the return to A is the time for a self-test"


def test_a_plug_whose_contact_was_open_before_the_pilot_was_cut_has_its_second_too():
    bench = Bench()
    bench.plug()
    bench.run(500)
    bench.inputs.proximity_ohm = None
    bench.run(5_000)
    assert bench.machine.pilot.connected and bench.names == ["pp_invalid"]
    bench.machine.wishes.available = False
    bench.run(900)
    assert bench.out.duty == STATE_F and bench.machine.pilot.connected
    bench.run(200)
    assert not bench.machine.pilot.connected


def test_a_pilot_that_cannot_be_measured_is_no_fault_while_nobody_measures_it():
    bench = Bench()
    bench.sampled = False
    bench.run(200)
    assert bench.names == ["cp_open"]
    bench.machine.wishes.available = False
    bench.run(1_500)
    assert bench.names == [] and bench.out.duty == STATE_F


def test_a_proximity_contact_that_chatters_is_no_vehicle_that_goes():
    bench = Bench(pilot_switch=True)
    _cut(bench)
    for _ in range(20):
        bench.inputs.proximity_ohm = None
        bench.run(700)
        bench.inputs.proximity_ohm = 220
        bench.run(200)
        assert bench.machine.pilot.connected
    bench.run(60_000)
    assert not _blind(bench) and bench.machine.state == "B"


def test_with_a_fixed_cable_the_vehicle_is_looked_for_when_the_pilot_is_back():
    """V5: there is nothing else to look at."""
    bench = Bench(fixed_cable=True)
    _cut(bench)
    bench.unplug()
    bench.run(5_000)
    assert bench.machine.pilot.connected
    assert bench.until(lambda: not _blind(bench), 60_000) is not None
    assert bench.until(lambda: not bench.machine.pilot.connected, 500) is not None
    assert not bench.pwm


def test_a_plug_that_is_pulled_while_out_of_service_has_gone():
    bench = Bench()
    bench.plug()
    bench.run(500)
    bench.machine.wishes.available = False
    bench.run(1_000)
    assert bench.machine.state == "F" and bench.machine.pilot.connected
    bench.unplug()
    bench.run(1_500)
    assert bench.machine.state == "F" and not bench.machine.pilot.connected


def test_a_pilot_shorted_to_earth_without_plug_is_no_vehicle():
    """V13"""
    for fixed in (False, True):
        bench = Bench(fixed_cable=fixed)
        bench.vehicle = "E"
        bench.run(2_000)
        assert bench.machine.state == "E" and not bench.machine.pilot.connected, fixed
        assert bench.names == ["cp_short"]
        bench.vehicle = "A"
        bench.run(500)
        assert bench.names == [] and bench.machine.state == "A"


def test_a_vehicle_on_a_pilot_that_is_shorted_stays_one_until_its_plug_is_out():
    """V13"""
    for fixed in (False, True):
        bench = Bench(fixed_cable=fixed)
        bench.charge()
        bench.vehicle = "E"
        bench.run(2_000)
        assert bench.machine.state == "E" and bench.machine.pilot.connected
        bench.inputs.proximity_ohm = None
        bench.run(500)
        assert bench.machine.pilot.connected == fixed and bench.faults.unplugged != fixed
        bench.plug()
        bench.run(500)
        assert bench.machine.state == "B" and bench.machine.pilot.connected


def test_the_plug_of_a_weld_that_only_the_meter_shows_stays_locked():
    bench = Bench()
    bench.aux = False
    bench.charge()
    bench.machine.wishes.permitted = bench.machine.wishes.hold_plug = False
    bench.vehicle = "B"
    for milliamps in range(16_000, 16_008):  # a new reading each time
        bench.inputs.currents_ma = (milliamps, 0, 0)
        bench.run(1_000)
    assert bench.names == ["contactor_welded"] and bench.locked
