"""The machine's times to the millisecond, and what is offered to whom: each test names what it protects."""

from evse_bench import Bench

from firmware.evse.limits import STATE_F, STEADY
from firmware.evse.wakeup import NOTHING


def _ready(**options):
    """A vehicle that has been in C for a while, without permission."""
    bench = Bench(**options)
    bench.plug("C")
    bench.machine.hold_plug = True
    bench.run(2_000)
    assert bench.machine.state == "C" and bench.out.duty == STEADY
    return bench


def _closing():
    bench = _ready()
    bench.machine.permitted = True
    assert bench.closes(1_000) is not None
    return bench


def test_closes_with_the_third_look_at_the_diode_of_each_offer():
    """Table A.4 note: looks count from 75 ms after the change of the duty cycle on."""
    bench = _ready()
    for _ in range(2):
        bench.machine.permitted = True
        assert bench.until(lambda: bench.pwm, 10_000) is not None
        for ms, closed in ((74, False), (1, False), (1, False), (1, True)):
            bench.step(ms)
            assert bench.out.close == closed
        bench.run(1_000)
        bench.machine.permitted = False
        bench.run(20_000)
        assert not bench.out.close


def test_a_look_without_diode_begins_the_counting_anew():
    bench = _ready()
    bench.machine.permitted = True
    assert bench.until(lambda: bench.pwm, 1_000) is not None
    for diode, closed in ((True, False), (True, False), (False, False), (True, False), (True, False), (True, True)):
        bench.diode = diode
        bench.step(20 if bench.machine._diode_samples else 80)
        assert bench.out.close == closed


def test_nothing_closes_before_a_missing_diode_is_a_fault():
    bench = _ready()
    bench.diode = False
    bench.machine.permitted = True
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
    bench.machine.permitted = True
    bench.machine.available = False
    bench.run(10_000)
    bench.machine.available = True
    bench.step()
    assert bench.out.duty == STEADY and bench.machine.offered_ma == 0
    for ms, offered in ((100, False), (600, False), (49, False), (1, True)):
        bench.step(ms)
        assert bench.pwm == offered, ms


def test_the_plug_is_free_5_s_after_state_f_began():
    bench = _ready()
    bench.machine.available = False
    bench.step()
    assert bench.out.duty == STATE_F and bench.out.lock
    for ms, locked in ((4_999, True), (1, False)):
        bench.step(ms)
        assert bench.out.lock == locked


def test_no_offer_without_vehicle():
    for ventilation in (False, True):
        bench = Bench(fixed_cable=True, ventilation=ventilation)
        bench.machine.permitted = True
        bench.run(1_000)
        assert bench.out.duty == STEADY and bench.machine.offered_ma == 0


def test_nothing_is_offered_in_the_state_f_that_wakes_a_vehicle():
    bench = Bench()
    bench.machine.permitted = True
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
    machine.permitted = True
    bench.step()
    assert waking.told == (True, True, False)
    bench.run(1_000)
    assert waking.told == (True, True, True)
    machine.wake_up = False
    bench.step()
    assert waking.told == (False, True, True)
    machine.wake_up = True
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
    bench.machine.permitted = True
    assert bench.until(lambda: bench.pwm, 1_000) is not None
    for ms in (75, 1):
        bench.step(ms)
    bench.machine.phase_switch.wanted = 1
    bench.step(1)
    assert bench.out.close and bench.out.phases == 1
