"""The machine's times to the millisecond, and what is offered to whom: each test names what it protects."""

from evse_bench import Bench
from evse_site import SiteEvse, run
from harness import FakeClock

from firmware.evse.limits import STATE_F, STEADY
from firmware.evse.wakeup import NOTHING


def _ready(**options):
    """A vehicle that has been in C for a while, without permission."""
    bench = Bench(**options)
    bench.plug("C")
    bench.machine.wishes.hold_plug = True
    bench.run(2_000)
    assert bench.machine.state == "C" and bench.out.duty == STEADY
    return bench


def _closing():
    bench = _ready()
    bench.machine.wishes.permitted = True
    assert bench.closes(1_000) is not None
    return bench


def test_closes_with_the_third_look_at_the_diode_of_each_offer():
    """Table A.4 note: looks count from 75 ms after the change of the duty cycle on."""
    bench = _ready()
    for _ in range(2):
        bench.machine.wishes.permitted = True
        assert bench.until(lambda: bench.pwm, 10_000) is not None
        for ms, closed in ((74, False), (1, False), (1, False), (1, True)):
            bench.step(ms)
            assert bench.out.close == closed
        bench.run(1_000)
        bench.machine.wishes.permitted = False
        bench.run(20_000)
        assert not bench.out.close


def test_a_look_without_diode_begins_the_counting_anew():
    bench = _ready()
    bench.machine.wishes.permitted = True
    assert bench.until(lambda: bench.pwm, 1_000) is not None
    looks = ((80, True), (20, True), (20, False), (20, True), (20, True), (20, True))
    assert [_closed_after(bench, *look) for look in looks] == [False] * 5 + [True]


def _closed_after(bench, ms, diode):
    bench.diode = diode
    bench.step(ms)
    return bench.out.close


def test_nothing_closes_before_a_missing_diode_is_a_fault():
    bench = _ready()
    bench.diode = False
    bench.machine.wishes.permitted = True
    assert bench.until(lambda: bench.out.close or bench.names, 1_000) is not None
    assert not bench.out.close and bench.names == ["diode"]


def test_b_has_to_last_longer_for_200_ms_after_the_contactor_has_moved():
    for after_ms, elapsed in ((0, 80), (100, 80), (120, 80), (140, 60), (160, 60), (400, 60)):
        bench = _closing()
        bench.run(after_ms)
        bench.vehicle = "B"
        assert bench.opens(500) == elapsed, after_ms


def test_b_counts_550_ms_after_a_change_of_the_duty_cycle():
    bench = _closing()
    bench.run(6_000)
    bench.limits.set("group", 10_000)
    bench.step()
    bench.vehicle = "B"
    for ms, closed in ((549, True), (1, True), (34, True), (1, False)):
        bench.step(ms)
        assert bench.out.close == closed, ms


def test_750_ms_of_plus_12_v_after_state_f():
    bench = _ready()
    bench.machine.wishes.permitted = True
    bench.machine.wishes.available = False
    bench.run(10_000)
    bench.machine.wishes.available = True
    bench.step()
    assert bench.out.duty == STEADY and bench.machine.offered_ma == 0
    for ms, offered in ((100, False), (600, False), (49, False), (1, True)):
        bench.step(ms)
        assert bench.pwm == offered, ms


def test_the_plug_is_free_5_s_after_state_f_began():
    bench = _ready()
    bench.machine.wishes.available = False
    bench.step()
    assert bench.out.duty == STATE_F and bench.out.lock
    for ms, locked in ((4_999, True), (1, False)):
        bench.step(ms)
        assert bench.out.lock == locked


def test_no_offer_without_vehicle():
    for ventilation in (False, True):
        bench = Bench(fixed_cable=True, ventilation=ventilation)
        bench.machine.wishes.permitted = True
        bench.run(1_000)
        assert bench.out.duty == STEADY and bench.machine.offered_ma == 0


def test_nothing_is_offered_in_the_state_f_that_wakes_a_vehicle():
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(1_000)
    while bench.pwm:
        bench.step(200)
        assert bench.now < 100_000
    assert bench.out.duty == STATE_F and bench.machine.offered_ma == 0


class _Waking:
    action = NOTHING

    def step(self, offered, ready, charging, now_ms):
        self.told = offered, ready, charging


def test_only_a_vehicle_that_could_take_an_offer_is_woken():
    bench = _ready()
    machine = bench.machine
    machine.wakeup = waking = _Waking()
    bench.step()
    assert waking.told == (False, True, False), "not permitted"
    machine.wishes.permitted = True
    bench.step()
    assert waking.told == (True, True, False)
    bench.run(1_000)
    assert waking.told == (True, True, True)
    machine.wishes.wake_up = False
    bench.step()
    assert waking.told == (False, True, True)
    machine.wishes.wake_up = True
    bench.limits.set("schedule", 0)
    bench.step()
    assert waking.told == (False, True, True)
    bench.limits.clear("schedule")
    bench.unplug()
    bench.run(100)
    assert waking.told == (False, False, False), "no vehicle"
    bench.plug(ohm=None)
    bench.run(200)
    assert waking.told == (False, False, False), "no cable that could be used"


def test_phases_that_change_in_the_step_that_closes_are_those_that_close():
    bench = _ready()
    bench.machine.wishes.permitted = True
    assert bench.until(lambda: bench.pwm, 1_000) is not None
    for ms in (75, 1):
        bench.step(ms)
    bench.machine.wishes.phases = 1
    bench.step(1)
    assert bench.out.close and bench.out.phases == 1


def _states(bench, ms):
    """Returns the states that follow one another within `ms`."""
    found = [bench.machine.state]
    end = bench.now + ms
    while bench.now < end:
        bench.step()
        if bench.machine.state != found[-1]:
            found.append(bench.machine.state)
    return found


def test_a_vehicle_that_was_there_while_out_of_service_is_looked_at_anew():
    """Out of service, vehicles come and go: C counts once it has lasted, as with a new plug."""
    bench = _ready()
    bench.machine.wishes.available = False
    bench.run(2_000)
    bench.machine.wishes.available = True
    assert _states(bench, 2_000) == ["F", "B", "C"]


def test_a_pause_of_30_s_follows_a_fault_that_takes_back_an_offer():
    """V8: the slot says why, and nothing is offered before it is over."""
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(1_000)
    assert bench.pwm
    bench.faults.raise_fault("other", bench.now)
    bench.step()
    assert not bench.pwm and bench.machine.offered_ma == 0
    bench.faults.clear_fault("other")
    bench.step(29_999)
    assert bench.faults.active == () and bench.limits.slots()[0] == (0, "recovery") and not bench.pwm
    bench.step(1)
    assert bench.limits.get("recovery") is None and bench.pwm


def test_a_fault_while_nothing_is_offered_makes_no_pause_but_30_s_before_closing():
    bench = _ready()
    bench.faults.raise_fault("other", bench.now)
    bench.machine.wishes.permitted = True
    bench.run(1_000)
    assert not bench.pwm and not bench.out.close
    bench.faults.clear_fault("other")
    bench.machine.wishes.permitted = False
    bench.step()
    bench.machine.wishes.permitted = True
    bench.step(1_000)
    assert bench.limits.get("recovery") is None and bench.pwm
    for _ in range(3):
        bench.step(1_000)
    for ms, closed in ((25_979, False), (1, True)):
        bench.step(ms)
        assert bench.out.close == closed, ms


def _fails(bench, name):
    """A fault opens the contactor, or takes back an offer, and is over at once."""
    bench.faults.raise_fault(name, bench.now)
    bench.step()
    assert not bench.out.close and not bench.pwm
    bench.faults.clear_fault(name)
    bench.step()


def test_the_next_vehicle_waits_for_the_supply_and_not_for_what_the_last_one_had():
    """V6, V8: the second failure in a row makes a pause of 60 s."""
    for name, waits in (("undervoltage", True), ("other", False)):
        bench = _closing()
        bench.run(1_000)
        _fails(bench, name)
        bench.run(31_000)
        assert bench.pwm, name
        _fails(bench, name)
        bench.unplug()
        bench.run(1_000)
        assert (bench.limits.get("recovery") == 0) == waits, name


def _sags(bench):
    """The supply is low until the fault is there, and good again from then on, for the 10 s that it takes."""
    bench.inputs.voltages_mv = (190_000,) * 3
    bench.step()
    bench.step(3_000)
    assert bench.names == ["undervoltage"]
    bench.inputs.voltages_mv = (230_000,) * 3
    bench.step()
    bench.step(10_000)


def test_a_supply_that_failed_is_reported_until_a_closing_has_lasted_for_15_s():
    """V6: once, and not with each attempt."""
    bench = _closing()
    bench.run(1_000)
    _sags(bench)
    assert bench.names == ["undervoltage"] and bench.faults.blocking
    assert bench.closes(30_000) is not None
    bench.step()
    for ms, names in ((14_999, ["undervoltage"]), (1, ["undervoltage"]), (1, [])):
        bench.step(ms)
        assert bench.names == names and not bench.faults.blocking, ms


def test_a_supply_that_failed_is_not_reported_any_more_when_nobody_waits_for_its_proof():
    for ends in ("permission", "plug", "nothing"):
        bench = _closing()
        bench.run(1_000)
        _sags(bench)
        bench.run(22_000)
        assert bench.names == ["undervoltage"] and not bench.faults.blocking
        if ends == "permission":
            bench.machine.wishes.permitted = False
        elif ends == "plug":
            bench.unplug()
        bench.run(200)
        assert (bench.names == []) == (ends != "nothing"), ends


def test_a_supply_that_failed_before_anything_was_closed_has_nothing_to_prove():
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(1_000)
    _sags(bench)
    assert bench.names == []


def test_what_a_closing_writes_for_a_power_cut():
    """V7: the stage of the closing, at once and soon; nothing any more once it has lasted for 15 s, or is over."""
    clock = FakeClock()
    kept = []

    class Memory:
        def load(self):
            return None

        def save(self, value):
            kept.append(tuple(value))

    evse = SiteEvse(clock, memory=Memory())
    evse.wishes.permitted = True
    evse.plug_in()
    run(clock, (evse,), 2_000)
    assert kept == []
    evse.set_state("C")
    run(clock, (evse,), 1_400)
    assert evse.charging and kept == [(0, 0, 1)]
    run(clock, (evse,), 1_000)
    assert kept == [(0, 0, 1), (0, 0, 2)]
    evse.set_state("B")
    run(clock, (evse,), 200)
    assert not evse.charging and kept.pop() == (0, 0, 0) and len(kept) == 2


def test_nothing_is_offered_in_the_plus_12_v_after_a_state_f():
    bench = Bench()
    bench.machine.wishes.permitted = True
    bench.plug()
    bench.run(1_000)
    while bench.out.duty != STATE_F:
        bench.step(200)
        assert bench.now < 100_000
    while bench.out.duty == STATE_F:
        bench.step(200)
    assert bench.out.duty == STEADY and bench.machine.offered_ma == 0


def test_the_plug_stays_locked_until_the_contact_has_opened():
    bench = Bench()
    bench.charge()
    bench.machine.wishes.permitted = bench.machine.wishes.hold_plug = False
    bench.vehicle = "B"
    assert bench.opens(200) is not None
    assert bench.closed and bench.out.lock
    assert bench.until(lambda: not bench.out.lock, 200) is not None
    assert not bench.closed


def test_no_self_test_while_a_contact_is_closed_that_should_be_open():
    """A.6 seq. 8.1 opens; IEC 62955: the test current must not flow into a vehicle, nor hide what flows out of it."""
    bench = Bench(fixed_cable=True)
    bench.charge()
    bench.welded = True
    bench.unplug()
    for _ in range(100):
        bench.step()
        assert not bench.out.rcd_test
    bench.welded = False
    assert bench.until(lambda: bench.out.rcd_test, 2_000) is not None


def test_the_next_vehicle_does_not_wait_for_the_answer_of_the_last_one():
    """A.6 seq. 10.1: the 3 s are for the vehicle whose PWM was withdrawn."""
    bench = Bench(fixed_cable=True)
    bench.machine.wishes.permitted = True
    for _ in range(2):
        bench.plug()
        assert bench.until(lambda: bench.pwm, 500) is not None
        bench.run(6_000)
        bench.unplug()
        bench.run(200)
        assert not bench.pwm


def test_a_contact_that_stays_closed_holds_up_the_change_of_the_phases():
    bench = Bench(fixed_cable=True, pilot_switch=True)
    bench.charge()
    bench.welded = True
    bench.machine.wishes.phases = 1
    bench.vehicle = "B"
    assert bench.opens(200) is not None
    bench.run(500)
    assert bench.out.cp_connected and bench.out.phases == 3
    bench.welded = False
    assert bench.until(lambda: not bench.out.cp_connected, 300) is not None
