"""Sequences and timings of IEC 61851-1 in virtual time; each test names the row that it protects."""

from evse_bench import Bench

from firmware.evse import machine, pilot_input, pilot_output
from firmware.evse import reclosing as r
from firmware.evse.hold_reason import hold_reason
from firmware.evse.limits import STATE_F, STEADY


def test_the_times_are_those_of_their_sources():
    """The other tests take these as given; the field and the standard do not."""
    assert machine.FORCE_OPEN_AFTER_MS == 6_000  # table A.6 seq. 10.2
    assert pilot_output.WITHDRAWN_AT_LEAST_MS == 3_000  # seq. 10.1
    assert pilot_output.DUTY_INTERVAL_MS == 5_000  # A.5.3
    assert pilot_output.STATE_F_AT_LEAST_MS == 300  # table A.5
    assert (r.RECLOSE_AFTER_MS, r.RECLOSE_AFTER_FAULT_MS) == (5_000, 30_000)
    assert r.PAUSES_S == (30, 60, 120, 240, 480, 900)  # V6
    assert machine.UNLOCK_IN_F_AFTER_MS == 5_000
    assert pilot_input.DIODE_SAMPLES == 3


def test_state_a_is_steady_open_and_unlocked():
    bench = Bench()
    assert (bench.machine.state, bench.out.duty, bench.out.close, bench.locked) == ("A", STEADY, False, False)


def test_vehicle_is_seen_within_40_ms_of_plugging_in():
    bench = Bench()
    bench.plug()
    assert bench.until(lambda: bench.machine.state == "B", 200) <= 40


def test_no_offer_without_permission():
    bench = Bench()
    bench.plug()
    bench.run(10_000)
    bench.vehicle = "C"
    bench.run(10_000)
    assert bench.machine.state == "C" and bench.out.duty == STEADY and not bench.out.close


def test_offer_comes_within_a_second_of_permission_with_the_current_of_the_limit():
    bench = Bench(supply_ma=16_000)
    bench.plug()
    bench.run(5_000)
    bench.machine.wishes.permitted = True
    assert bench.until(lambda: bench.pwm, 1_000) is not None
    assert bench.out.duty == 2_667 and bench.machine.offered_ma == 16_000


def test_closes_after_500_ms_and_within_3_s_of_c():
    """A.6 seq. 4."""
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(3_000)
    bench.vehicle = "C"
    assert 500 <= bench.closes(3_000) <= 560
    assert bench.out.phases == 3


def test_a_toggle_of_250_ms_to_c_does_not_close():
    """BMW iX3 presents C for 250 ms as a sign of life."""
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(3_000)
    bench.vehicle = "C"
    bench.run(240)
    bench.vehicle = "B"
    assert bench.until(lambda: bench.out.close or bench.machine.state != "B", 5_000) is None


def test_opens_within_100_ms_when_s2_opens_and_keeps_the_offer():
    """A.6 seq. 8.1."""
    bench = Bench()
    bench.charge()
    bench.vehicle = "B"
    assert bench.opens(200) <= 80
    bench.run(2_000)
    assert bench.pwm and bench.machine.state == "B" and bench.names == []


def test_opens_within_100_ms_of_unplugging():
    """A.6 seq. 2.2."""
    bench = Bench()
    bench.charge()
    bench.unplug()
    assert bench.opens(200) <= 80
    bench.run(100)
    assert bench.out.duty == STEADY and bench.machine.state == "A"


def test_a_plug_that_bounces_between_a_and_b_opens_all_the_same():
    bench = Bench()
    bench.charge()
    start = bench.now
    while bench.out.close:
        bench.vehicle = "A" if bench.vehicle != "A" else "B"
        bench.step()
        assert bench.now - start <= 100


def test_a_held_loop_needs_only_two_samples_to_open():
    bench = Bench()
    bench.charge()
    bench.vehicle = "B"
    bench.step(20)
    bench.step(60)
    assert not bench.out.close


def test_one_wrong_sample_does_not_open():
    bench = Bench()
    bench.charge()
    for glitch in ("B", "A", "E", "D"):
        bench.vehicle = glitch
        bench.run(20)
        bench.vehicle = "C"
        bench.run(200)
        assert bench.out.close, glitch


def test_charges_again_5_s_after_c_ended():
    bench = Bench()
    bench.charge()
    bench.vehicle = "B"
    bench.run(100)
    opened = bench.now
    bench.vehicle = "C"
    bench.closes(10_000)
    assert r.RECLOSE_AFTER_MS - 60 <= bench.now - opened <= r.RECLOSE_AFTER_MS + 40


def test_a_straight_to_c_is_accepted():
    """A vehicle with a simplified pilot, or one that was plugged in while the power was off."""
    bench = Bench()
    bench.machine.wishes.permitted = True
    seen = []
    bench.plug("C")
    for _ in range(150):
        bench.step()
        if bench.machine.state not in seen:
            seen.append(bench.machine.state)
    assert seen == ["A", "B", "C"] and bench.out.close and bench.names == []


def test_withdrawn_permission_waits_for_s2():
    """A.6 seq. 10.1: the vehicle has 3 s to stop drawing; no opening under load before."""
    bench = Bench()
    bench.charge()
    bench.machine.wishes.permitted = False
    bench.step()
    assert bench.out.duty == STEADY and bench.out.close and bench.machine.offered_ma == 0
    bench.run(2_000)
    assert bench.out.close
    bench.vehicle = "B"
    assert bench.opens(200) <= 80
    assert bench.machine.forced_openings == 0


def test_a_vehicle_that_ignores_the_pause_is_disconnected_after_6_s():
    """A.6 seq. 10.2."""
    bench = Bench()
    bench.charge()
    bench.limits.set("schedule", 0)
    bench.step()
    elapsed = bench.opens(10_000)
    assert elapsed == machine.FORCE_OPEN_AFTER_MS
    assert bench.machine.forced_openings == 1 and bench.out.duty == STEADY and bench.names == []


def test_resume_while_the_vehicle_never_left_c_cancels_the_6_s():
    bench = Bench()
    bench.charge()
    bench.limits.set("schedule", 0)
    bench.run(1_000)
    bench.limits.clear("schedule")
    elapsed = bench.until(lambda: bench.pwm, 5_000)
    assert elapsed == 2_020  # 3 s after it was withdrawn
    bench.run(20_000)
    assert bench.out.close and bench.machine.forced_openings == 0


def test_resume_after_a_forced_opening_closes_again():
    bench = Bench()
    bench.charge()
    bench.machine.wishes.permitted = False
    bench.run(30_000)
    assert not bench.out.close and bench.machine.state == "C"
    bench.machine.wishes.permitted = True
    assert bench.closes(3_000) is not None


def test_below_6_amperes_is_a_pause_at_plus_12_v():
    bench = Bench()
    bench.charge()
    bench.limits.set("group", 5_999)
    bench.step()
    assert bench.out.duty == STEADY
    assert bench.limits.allowed() == (0, "group")


def test_5_s_between_two_duty_cycles():
    """A.5.3: the vehicle may take 5 s to follow, so it is not asked for more."""
    bench = Bench()
    bench.charge()
    bench.run(10_000)
    bench.limits.set("group", 20_000)
    bench.step()
    assert bench.machine.offered_ma == 20_000
    bench.limits.set("group", 10_000)
    elapsed = bench.until(lambda: bench.machine.offered_ma == 10_000, 10_000)
    assert elapsed == pilot_output.DUTY_INTERVAL_MS
    bench.limits.set("group", 0)  # a pause does not wait
    bench.step()
    assert bench.out.duty == STEADY


def test_a_glitch_to_b_after_a_duty_change_is_not_believed():
    """BMW hybrids show 9 V for 500 ms after a change of the duty cycle."""
    bench = Bench()
    bench.charge()
    bench.run(10_000)
    bench.limits.set("group", 10_000)
    bench.step()
    bench.vehicle = "B"
    bench.run(500)
    bench.vehicle = "C"
    bench.run(1_000)
    assert bench.out.close


def _opens_after_a_duty_change(offset_ms, state):
    """Returns the ms to the open contactor for a vehicle that shows `state` that long after a new duty cycle."""
    bench = Bench()
    bench.charge()
    bench.run(pilot_output.DUTY_INTERVAL_MS)
    bench.limits.set("group", 10_000)
    bench.run(20 + offset_ms)
    assert bench.machine.offered_ma == 10_000 and bench.out.close
    bench.vehicle = state
    return bench.opens(1_000)


def test_unplugging_and_faults_open_within_100_ms_at_every_moment_after_a_duty_change():
    """Table A.6 seq. 2.2: whoever pulls a plug shows A, and nobody waits for the end of a glitch."""
    for offset_ms in range(0, pilot_input.BLANK_AFTER_DUTY_MS + 60, 20):
        for state in "AED":
            assert _opens_after_a_duty_change(offset_ms, state) <= 80, (state, offset_ms)


def test_s2_that_opens_after_a_duty_change_opens_with_the_end_of_the_blanking():
    """The one exception from the 100 ms of table A.6 seq. 8.1: a vehicle that is still plugged in shows B."""
    for offset_ms in range(0, pilot_input.BLANK_AFTER_DUTY_MS + 60, 20):
        left_ms = max(0, pilot_input.BLANK_AFTER_DUTY_MS - offset_ms)
        assert _opens_after_a_duty_change(offset_ms, "B") <= left_ms + 100, offset_ms


def test_a_pause_and_its_end_blank_nothing():
    """Only a vehicle that reads one duty cycle after another glitches: after a pause, and in one, B counts at once."""
    for resumes in (False, True):
        for offset_ms in (0, 60, 200, 500):
            bench = Bench()
            bench.charge()
            bench.machine.wishes.permitted = False
            bench.run(20)
            if resumes:
                bench.run(pilot_output.WITHDRAWN_AT_LEAST_MS)
                bench.machine.wishes.permitted = True
                bench.run(20)
            bench.run(offset_ms)
            assert bench.pwm == resumes and bench.out.close
            bench.vehicle = "B"
            assert bench.opens(200) <= 80, (resumes, offset_ms)


def _just_closed():
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(2_000)
    bench.vehicle = "C"
    bench.closes(3_000)
    return bench


def test_a_dip_to_b_while_the_contactor_closes_is_not_believed():
    bench = _just_closed()
    bench.vehicle = "B"
    bench.run(60)
    bench.vehicle = "C"
    bench.run(500)
    assert bench.out.close
    bench.vehicle = "B"  # three samples, once the contactor is at rest
    bench.run(60)
    assert not bench.out.close


def test_s2_that_opens_while_the_contactor_moves_opens_within_100_ms():
    """Table A.6 seq. 8.1 knows no exception for a contactor that has just closed."""
    for after_ms in (20, 60, 100, 140, 180, 200, 240):
        bench = _just_closed()
        bench.run(after_ms)
        bench.vehicle = "B"
        assert bench.opens(200) <= 80, after_ms


def test_a_vehicle_that_draws_nothing_is_not_waited_for():
    """Nothing is switched under load, and whoever pays gets his bill at once; a reading from before says nothing."""
    bench = Bench()
    bench.charge()
    bench.inputs.currents_ma = (0, 0, 0)
    bench.run(1_000)
    bench.machine.wishes.permitted = False
    bench.run(1_000)
    assert bench.out.close
    bench.inputs.currents_ma = (1_100, 0, 0)
    bench.run(1_000)
    assert bench.out.close
    bench.inputs.currents_ma = (900, 0, 0)
    assert bench.opens(40) and bench.machine.forced_openings == 0


def test_not_available_is_state_f_and_unlocked_after_5_s():
    bench = Bench()
    bench.machine.wishes.hold_plug = True
    bench.plug()
    bench.run(3_000)
    assert bench.locked
    bench.machine.wishes.available = False
    bench.run(200)
    assert bench.out.duty == STATE_F and bench.machine.state == "F" and bench.locked
    bench.run(machine.UNLOCK_IN_F_AFTER_MS + 500)
    assert not bench.locked
    bench.machine.wishes.available = True
    bench.run(200)
    assert bench.machine.state == "B" and bench.out.duty == STEADY


def test_not_available_while_charging_first_asks_the_vehicle_to_stop():
    bench = Bench()
    bench.charge()
    bench.machine.wishes.available = False
    bench.step()
    assert bench.out.duty == STEADY and bench.out.close
    bench.vehicle = "B"
    bench.run(400)
    assert bench.out.duty == STATE_F and not bench.out.close


def test_750_ms_of_plus_12_v_lie_between_state_f_and_an_offer():
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(2_000)
    bench.machine.wishes.available = False
    bench.run(5_000)
    assert bench.out.duty == STATE_F
    bench.machine.wishes.available = True
    bench.step()
    assert bench.out.duty == STEADY
    elapsed = bench.until(lambda: bench.out.duty != STEADY, 4_000)
    assert bench.pwm and pilot_output.STEADY_AFTER_F_MS - 20 <= elapsed <= pilot_output.STEADY_AFTER_F_MS + 20


def test_state_f_lasts_at_least_300_ms():
    """Table A.5."""
    bench = Bench()
    bench.machine.wishes.available = False
    bench.step()
    assert bench.out.duty == STATE_F
    bench.machine.wishes.available = True
    elapsed = bench.until(lambda: bench.out.duty != STATE_F, 1_000)
    assert pilot_output.STATE_F_AT_LEAST_MS <= elapsed <= pilot_output.STATE_F_AT_LEAST_MS + 20


def test_unplugging_while_unavailable_is_noticed_afterwards():
    bench = Bench()
    bench.plug()
    bench.run(500)
    bench.machine.wishes.available = False
    bench.run(1_000)
    bench.unplug()
    bench.run(1_000)
    bench.machine.wishes.available = True
    bench.run(500)
    assert bench.machine.state == "A" and not bench.machine.pilot.connected


def test_d_is_served_where_there_is_ventilation():
    bench = Bench(ventilation=True)
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(2_000)
    bench.vehicle = "D"
    assert bench.closes(3_000) is not None
    bench.vehicle = "C"
    bench.run(1_000)
    assert bench.out.close and bench.names == []
    bench.vehicle = "B"
    assert bench.opens(200) <= 80


def test_the_next_vehicle_does_not_wait_for_the_last_one():
    bench = Bench()
    bench.charge()
    bench.unplug()
    bench.run(1_000)
    bench.plug()
    assert bench.until(lambda: bench.pwm, 1_000) is not None
    bench.vehicle = "C"
    assert bench.closes(3_000) is not None


def test_the_next_vehicle_does_not_wait_for_the_pause_of_the_last_one():
    """The 3 s of A.6 seq. 10.1 are those of the vehicle whose offer was withdrawn."""
    bench = Bench()
    bench.charge()
    bench.machine.wishes.permitted = False
    bench.run(200)
    bench.unplug()
    bench.run(500)
    bench.plug()
    bench.machine.wishes.permitted = True
    assert bench.until(lambda: bench.pwm, 500) is not None


def test_a_pilot_is_believed_75_ms_after_state_f():
    """Its capacitor and the sampling: what is measured before shows part of the -12 V."""
    bench = Bench()
    bench.machine.wishes.available = False
    bench.run(1_000)
    bench.machine.wishes.available = True
    bench.step()
    assert bench.out.duty == STEADY
    bench.sampled = False  # seen as cp_open when it has been measured for 55 ms
    for ms in (74, 1, 54):
        bench.step(ms)
        assert bench.names == [], ms
    bench.step(1)
    assert bench.names == ["cp_open"]


def test_nothing_closes_at_power_on_with_a_vehicle_in_c():
    """A station must not charge for a moment because a vehicle was plugged in when the power came."""
    bench = Bench(start=False)
    bench.plug("C")
    assert bench.until(lambda: bench.out.close or bench.pwm, 20_000) is None


def test_every_reason_has_words():
    bench = Bench()
    assert hold_reason(bench.machine, bench.now) == "no vehicle"
    bench.plug()
    bench.run(500)
    assert hold_reason(bench.machine, bench.now) == "not permitted"
    bench.machine.wishes.permitted = True
    bench.limits.set("ocpp", 0)
    bench.run(20)
    assert hold_reason(bench.machine, bench.now) == "limit ocpp"
    bench.limits.clear("ocpp")
    bench.run(1_000)
    assert hold_reason(bench.machine, bench.now) == "vehicle"
    bench.vehicle = "C"
    bench.run(1_000)
    assert hold_reason(bench.machine, bench.now) is None
    bench.machine.wishes.available = False
    bench.run(7_000)
    assert hold_reason(bench.machine, bench.now) == "unavailable"
