"""Why no energy flows, and what the light shows: each reason in its order, the first that is to be mended first."""

from evse_bench import Bench
from evse_site import SiteEvse, run
from harness import FakeClock

from firmware.evse.hold_reason import hold_reason
from firmware.kernel.log import Log


def _reason(bench):
    return hold_reason(bench.machine, bench.now)


def test_each_reason_gives_way_to_the_next_one():
    bench = Bench()
    machine = bench.machine
    machine.wishes.available = False
    bench.faults.raise_fault("lock_failed", bench.now)
    bench.faults.raise_fault("other", bench.now)
    bench.step()
    assert _reason(bench) == "unavailable"
    machine.wishes.available = True
    assert _reason(bench) == "fault other", "the worst"
    bench.faults.clear_fault("lock_failed")
    bench.faults.clear_fault("other")
    bench.run(1_000)
    assert _reason(bench) == "no vehicle"
    bench.plug("C", ohm=None)
    bench.limits.set("schedule", 0)
    bench.run(200)
    assert _reason(bench) == "cable"
    bench.inputs.proximity_ohm = 220
    bench.run(200)
    assert _reason(bench) == "not permitted"
    machine.wishes.permitted = True
    bench.lock_jammed = False
    bench.run(400)
    assert machine.state == "C" and _reason(bench) == "limit schedule"
    bench.limits.clear("schedule")
    bench.vehicle = "B"
    bench.run(200)
    assert _reason(bench) == "vehicle"
    bench.vehicle = "C"
    bench.run(600)
    assert _reason(bench) == "lock" and not bench.out.close
    bench.lock_jammed = None
    assert bench.closes(3_000) is not None
    assert _reason(bench) is None


def test_the_self_test_of_the_rcd_is_a_reason():
    bench = Bench(start=False)
    bench.rcd_dead = True
    bench.machine.wishes.permitted = True
    bench.plug("C")
    bench.run(900)
    assert bench.out.rcd_test and _reason(bench) == "rcd test"


def test_the_pause_after_an_opening_is_a_reason_and_so_is_a_pilot_that_has_not_been_answered():
    bench = Bench()
    bench.charge()
    bench.vehicle = "B"
    bench.run(200)
    bench.vehicle = "C"
    bench.run(700)
    assert not bench.out.close and _reason(bench) == "waiting"
    bench.machine.wishes.hold_plug = True
    bench.machine.wishes.permitted = False
    bench.run(6_000)
    bench.machine.wishes.permitted = True
    assert bench.until(lambda: bench.pwm, 3_000) is not None
    bench.step()
    assert _reason(bench) == "pilot"


def test_a_change_of_the_phases_is_a_reason():
    bench = Bench()
    bench.charge()
    bench.machine.wishes.phases = 1
    bench.vehicle = "B"
    bench.run(500)
    assert not bench.out.close and _reason(bench) == "phase switching"


def _site():
    clock = FakeClock()
    evse = SiteEvse(clock)

    def shows(ms=200):
        run(clock, (evse,), ms)
        return evse.drivers.pattern

    assert shows(2_000) == "free"
    return evse, shows


def test_the_light_of_each_state():
    evse, shows = _site()
    evse.plug_in()
    assert shows() == "waiting"
    evse.limits.set("ocpp", 0)
    assert shows() == "waiting"
    evse.wishes.permitted = True
    assert shows() == "suspended by station"
    evse.limits.clear("ocpp")
    assert shows() == "suspended by vehicle"
    evse.set_state("C")
    assert shows(3_000) == "charging"
    evse.raise_fault("meter_lost")
    assert shows() == "charging"
    evse.pull_out()
    assert shows(500) == "free", "whatever is permitted"
    evse.wishes.available = False
    assert shows() == "out of service"
    evse.raise_fault("other")
    assert shows() == "faulted"


def test_the_light_is_written_when_it_changes_and_steps_all_the_time():
    evse, shows = _site()
    drivers = evse.drivers
    drivers.calls.clear()
    steps = drivers.steps
    shows(60)
    assert drivers.steps == steps + 3 and "show" not in drivers.calls
    evse.show("finishing")
    assert shows(60) == "finishing" and drivers.calls.count("show") == 1


def test_a_light_that_fails_is_logged_once_and_left_alone():
    for call in ("show", "indicator.step"):
        clock = FakeClock()
        log = Log(clock)
        evse = SiteEvse(clock, log=log)
        run(clock, (evse,), 100)
        evse.drivers.broken = (call,)
        evse.show("finishing")
        run(clock, (evse,), 100)
        lines = [line for line in log.lines() if "indicator" in line[3]]
        assert len(lines) == 1, call
        evse.drivers.broken = ()
        evse.drivers.calls.clear()
        evse.show("reserved")
        run(clock, (evse,), 40)
        assert "show" not in evse.drivers.calls and "indicator.step" not in evse.drivers.calls
