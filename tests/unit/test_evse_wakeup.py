"""Waking a sleeping vehicle, and changing the number of phases: what interrupts the pilot on purpose."""

from evse_bench import Bench
from folder import fresh_folder

from firmware.evse.limits import STATE_F, STEADY
from tools.sim.bench import Bench as StationBench


def _offered(**options):
    bench = Bench(**options)
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(500)
    return bench


def _timeline(bench, ms, look):
    """Returns [(second, look()), ...] whenever look() changes within `ms`."""
    start = bench.now
    changes = []
    last = look()
    while bench.now - start < ms:
        bench.step()
        if look() != last:
            last = look()
            changes.append(((bench.now - start + 500) // 1000, last))
    return changes


def test_with_a_switch_the_pilot_is_cut_twice_then_state_f():
    bench = _offered(pilot_switch=True)
    look = lambda: "cut" if not bench.out.cp_connected else "F" if bench.out.duty == STATE_F else "on"  # noqa: E731
    assert _timeline(bench, 600_000, look) == [
        (90, "cut"), (94, "on"), (124, "cut"), (154, "on"), (184, "F"), (188, "on"), (218, "F"), (248, "on"),
    ]  # fmt: skip
    assert bench.machine.state == "B" and bench.names == [] and bench.pwm


def test_without_a_switch_one_pulse_of_state_f():
    bench = _offered()
    assert _timeline(bench, 600_000, lambda: bench.out.duty == STATE_F) == [(90, True), (94, False)]


def test_no_state_f_for_a_vehicle_that_has_just_charged():
    bench = Bench(pilot_switch=True)
    bench.charge()
    bench.vehicle = "B"
    assert _timeline(bench, 600_000, lambda: bench.out.duty == STATE_F) == []


def test_a_woken_vehicle_charges():
    bench = _offered(pilot_switch=True)
    bench.run(94_500)
    bench.vehicle = "C"
    assert bench.closes(3_000) is not None
    assert _timeline(bench, 300_000, lambda: bench.out.cp_connected) == []


def _interruptions(bench, ms, answers_ms=0):
    """Counts the interruptions of the pilot; after each the vehicle shows C for `answers_ms`."""
    count = 0
    cut = False
    end = bench.now + ms
    while bench.now < end:
        bench.step(200)
        now_cut = not bench.out.cp_connected or bench.out.duty == STATE_F
        count += now_cut and not cut
        if cut and not now_cut and answers_ms:
            bench.vehicle = "C"
            bench.run(answers_ms)
            bench.vehicle = "B"
        cut = now_cut
    return count


def test_a_full_vehicle_is_left_alone():
    """V4: waking is for a vehicle that has not drawn since the offer began, never after C -> B."""
    for options in ({}, {"pilot_switch": True}, {"fixed_cable": True, "pilot_switch": True}):
        bench = Bench(**options)
        bench.charge()
        bench.vehicle = "B"
        assert _interruptions(bench, 900_000) == 0, options
        bench.limits.set("schedule", 16_000)  # another current is the same offer
        assert _interruptions(bench, 600_000) == 0


def test_a_vehicle_that_answers_and_goes_back_is_awake():
    """V4: 20 s of C after an interruption were the reason for the next one, all night."""
    bench = _offered(pilot_switch=True)
    assert _interruptions(bench, 900_000, 20_000) == 1
    bench = _offered(pilot_switch=True)
    assert _interruptions(bench, 900_000, 300) == 4  # too short to be believed: never awake, but bounded


def test_a_pause_or_the_next_plug_is_another_offer():
    """V4: then none until the next plug or the next offer after a pause."""
    bench = _offered()
    assert _interruptions(bench, 900_000) == 1
    bench.limits.set("schedule", 0)
    bench.run(10_000)
    bench.limits.clear("schedule")
    assert _interruptions(bench, 900_000) == 1
    bench.unplug()
    bench.run(5_000)
    bench.plug()
    assert _interruptions(bench, 900_000) == 1


def test_no_wake_up_without_offer_or_when_switched_off():
    bench = Bench()
    bench.plug()
    bench.run(200_000)
    assert bench.out.duty == STEADY
    bench.machine.wishes.wake_up = False
    bench.machine.wishes.permitted = True
    assert _timeline(bench, 200_000, lambda: bench.out.duty == STATE_F) == []


def test_phases_change_at_once_before_the_vehicle_had_voltage():
    bench = Bench()
    bench.plug()
    bench.machine.wishes.phases = 1
    bench.run(40)
    assert bench.out.phases == 1 and bench.out.cp_connected


def test_phases_change_only_without_load_and_behind_a_cut_pilot():
    bench = Bench(pilot_switch=True)
    bench.charge()
    bench.machine.wishes.phases = 1
    bench.step(), bench.step()
    assert bench.out.duty == STEADY and bench.out.close and bench.out.phases == 3
    bench.vehicle = "B"
    bench.run(500)
    assert not bench.out.close and not bench.out.cp_connected and bench.out.phases == 3
    elapsed = bench.until(lambda: bench.out.phases == 1, 70_000)
    assert 59_000 <= elapsed <= 61_000 and not bench.out.cp_connected
    bench.run(1_000)
    assert bench.out.cp_connected and bench.pwm
    bench.vehicle = "C"
    assert bench.closes(3_000) is not None and bench.out.phases == 1


def test_phases_change_in_state_f_where_there_is_no_switch():
    bench = Bench()
    bench.charge()
    bench.machine.wishes.phases = 1
    bench.run(500)
    bench.vehicle = "B"
    bench.run(500)
    assert bench.out.duty == STATE_F and bench.machine.state == "B"
    bench.run(62_000)
    assert bench.pwm and bench.out.phases == 1


def test_phases_never_change_with_a_welded_contactor():
    bench = Bench(pilot_switch=True)
    bench.charge()
    bench.welded = True
    bench.machine.wishes.phases = 1
    bench.vehicle = "B"
    bench.run(120_000)
    assert bench.out.phases == 3


def test_a_vehicle_that_is_woken_is_reported_as_the_one_that_does_not_draw():
    """OCPP 1.6 §4.9: SuspendedEVSE is a station that offers nothing; here it does all it can to be taken up on it."""
    bench = StationBench(fresh_folder())
    bench.outlets[0].plug(32)
    bench.run(500)
    bench.swipe()
    bench.run(10_000)
    assert bench.word() == "suspended by vehicle"
    words = []
    bench.station.status_changed.connect(lambda n, status: words.append(status.state))
    duties = []
    bench.evses[0].pilot_changed.connect(lambda evse: duties.append(evse.duty))
    bench.run(300_000, tick_ms=40)
    assert duties[:3] == [STATE_F, STEADY, duties[2]] and duties[2] not in (STATE_F, STEADY)
    assert words == []
