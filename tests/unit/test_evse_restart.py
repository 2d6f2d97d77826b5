"""Before the first step, and after one that was left half done: nothing is closed, and nothing half done stays."""

from evse_bench import Bench

from firmware.evse import pilot_output
from firmware.evse.limits import STATE_F, STEADY
from firmware.evse.machine import Inputs


def _safe(out, duty):
    return (out.duty, out.close, out.rcd_test, out.cp_connected) == (duty, False, False, True)


def test_outputs_are_safe_before_the_first_step():
    for phases in (1, 3):
        machine = Bench(start=False, phases=phases).machine
        out = machine.outputs
        assert _safe(out, STEADY) and out.lock is None and out.phases == phases
        wishes = machine.wishes
        assert not wishes.permitted and wishes.available and wishes.hold_plug is None and wishes.wake_up


def test_nothing_measured_is_nothing_seen():
    bench = Bench(start=False)
    bench.machine.wishes.permitted = True
    for now in range(0, 1_000, 20):
        bench.machine.step(Inputs(), now)
    assert bench.names == ["cp_open"] and not bench.out.close and bench.machine.state == "A"


def test_a_fault_that_is_there_before_the_first_step():
    bench = Bench(start=False)
    bench.faults.raise_fault("other", 0)
    bench.step()
    assert bench.faults.blocking and not bench.faults.resting  # nothing was closed or offered: no pause


def _woken():
    bench = Bench(pilot_switch=True)
    bench.machine.wishes.permitted = True
    bench.plug()
    assert bench.until(lambda: not bench.out.cp_connected, 100_000) is not None
    return bench


def _tested():
    bench = Bench(start=False)
    assert bench.until(lambda: bench.out.rcd_test, 1_000) is not None
    return bench


def test_what_was_made_safe_behind_its_back_the_machine_knows():
    charging = Bench()
    charging.charge()
    for bench in (charging, _woken(), _tested()):
        bench.machine.abort(bench.now)
        assert _safe(bench.out, STATE_F) and bench.machine.offered_ma == 0
        assert bench.machine.reclosing.kept[2] == 0  # whether the power goes now says nothing about the closing


def test_a_restart_begins_in_a_state_f_that_every_vehicle_sees():
    """Table A.5."""
    bench = Bench()
    bench.charge()
    bench.machine.restart(bench.now)
    assert bench.out.duty == STATE_F and not bench.out.close
    assert bench.until(lambda: bench.out.duty == STEADY, 1_000) == pilot_output.STATE_F_AT_LEAST_MS


def test_a_restart_leaves_nothing_half_done():
    """Whatever the exception has left in the parts and in the last few seconds, the vehicle charges again."""
    for options in ({}, {"fixed_cable": True}):
        bench = Bench(**options)
        bench.charge()
        machine = bench.machine
        for part in (machine.pilot, machine.plug, machine.supervision, machine.wakeup, machine.phase_switch):
            for name in ("step", "see", "secure"):
                if hasattr(part, name):
                    setattr(part, name, None)
        machine.restart(bench.now)
        assert machine.pilot.connected and machine.state == "C"
        assert bench.closes(40_000) is not None and bench.names == []


def test_a_restart_makes_faults_whole():
    bench = Bench()
    watch = bench.faults.watch("contactor_welded")
    watch.active = True  # and there the memory ran out
    bench.machine.restart(bench.now)
    assert bench.names == ["contactor_welded"] and bench.faults.blocking
