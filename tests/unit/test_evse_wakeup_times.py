"""The interruptions that wake a vehicle, to the millisecond (IEC 61851-1 A.5.3, V4)."""

from evse_bench import Bench

from firmware.evse.limits import STATE_F, STEADY


def _offered(**options):
    """A vehicle in B that is offered current from this step on."""
    bench = Bench(**options)
    bench.plug()
    bench.run(1_000)
    bench.machine.wishes.permitted = True
    bench.step()
    assert bench.pwm
    return bench


def _pilot(bench):
    return "cut" if not bench.out.cp_connected else "F" if bench.out.duty == STATE_F else "on"


def _follows(bench, *plan):
    """True when the pilot becomes what `plan` says, (seconds since now, what), and not a millisecond earlier."""
    start = bench.now
    before = _pilot(bench)
    for second, what in plan:
        bench.step(start + second * 1_000 - 1 - bench.now)
        if _pilot(bench) != before:
            return False
        bench.step(1)
        if _pilot(bench) != what:
            return False
        before = what
    for _ in range(10):
        bench.step(100_000)
        if _pilot(bench) != before:
            return False
    return True


_CUTS = ((90, "cut"), (94, "on"), (124, "cut"), (154, "on"))
_PULSES = ((184, "F"), (188, "on"), (218, "F"), (248, "on"))


def test_the_plans():
    assert _follows(_offered(pilot_switch=True), *_CUTS, *_PULSES)
    assert _follows(_offered(), (90, "F"), (94, "on"))


def test_state_f_is_for_a_vehicle_that_has_not_charged_for_an_hour():
    for ms, pulses in ((3_599_999, ()), (3_600_000, _PULSES)):
        bench = Bench(pilot_switch=True)
        bench.machine.wishes.hold_plug = True
        bench.charge()
        bench.vehicle = "B"
        assert bench.opens(200) is not None  # the last step of its charge
        bench.machine.wishes.permitted = False
        bench.step(20)
        bench.step(ms - 40)
        bench.machine.wishes.permitted = True
        bench.step(20)
        assert bench.pwm and _follows(bench, *_CUTS, *pulses), ms


def test_each_offer_has_a_round_of_its_own():
    bench = _offered()
    assert _follows(bench, (90, "F"), (94, "on"))
    for ends in ("pause", "wish"):
        if ends == "pause":
            bench.limits.set("schedule", 0)
        else:
            bench.machine.wishes.wake_up = False
        bench.step(10_000)
        bench.limits.clear("schedule")
        bench.machine.wishes.wake_up = True
        bench.step(20)
        assert _follows(bench, (90, "F"), (94, "on")), ends


def test_who_asked_for_the_current_once_is_awake_until_the_next_offer():
    bench = _offered()
    bench.vehicle = "C"
    bench.run(600)
    bench.vehicle = "B"
    bench.run(6_000)
    assert not bench.out.close and bench.pwm and _follows(bench)
    bench.machine.wishes.permitted = False
    bench.step(10_000)
    bench.machine.wishes.permitted = True
    bench.step(20)
    assert _follows(bench, (90, "F"), (94, "on"))


def test_who_asked_while_the_contactor_had_to_wait_is_awake():
    bench = Bench(fixed_cable=True)
    bench.charge()
    bench.vehicle = "B"
    assert bench.opens(200) is not None
    bench.machine.wishes.permitted = False
    bench.step()
    bench.machine.wishes.permitted = True
    bench.step()
    bench.vehicle = "C"
    bench.run(1_000)
    assert bench.machine.state == "C" and not bench.out.close, "too soon after the opening"
    bench.vehicle = "B"
    bench.run(8_000)
    assert bench.pwm and not bench.out.close and _follows(bench)


def test_an_offer_that_ends_in_an_interruption_ends_it():
    for options in ({}, {"pilot_switch": True}):
        bench = _offered(**options)
        bench.step(90_000)
        bench.step(1_000)
        assert _pilot(bench) != "on"
        bench.machine.wishes.permitted = False
        bench.step()
        assert _pilot(bench) == "on" and bench.out.duty == STEADY


def test_a_restart_in_b_is_another_offer():
    bench = _offered(fixed_cable=True)
    bench.step(50_000)
    bench.machine.restart(bench.now)
    bench.step()  # the offer begins, behind a state F and 750 ms of +12 V
    bench.run(1_500)
    assert bench.pwm
    bench.step(89_999 - 1_500)
    assert bench.pwm
    bench.step(1)
    assert bench.out.duty == STATE_F
