"""V1, V2: what one connector raises is its own affair. It becomes safe and faulted, the others do not notice."""

import asyncio

from evse_site import LACKS, Drivers, SiteEvse, run
from harness import FakeClock, raises
from harness import run as run_async

from firmware.evse.control import PERIOD_MS, Control, make_safe
from firmware.evse.limits import STATE_F, STEADY
from firmware.evse.recovery import FORGOTTEN_MS, RESTS, WORKS, Recovery
from firmware.kernel.log import Log
from firmware.kernel.signal import Signal

RAISED = (ValueError("a defect"), AttributeError("None has no retry"), MemoryError())
CALLS = ("sample", "is_closed", "is_tripped", "lock.step", "is_locked", "ohm", "temperature_dc")


class Twins:
    """Two connectors under one Control; both charge when this is built."""

    def __init__(self, socket=True, lacks="", charge=True):
        self.clock = FakeClock()
        self.log = Log(self.clock)
        self.evses = [SiteEvse(self.clock, socket, lacks, n, self.log) for n in (1, 2)]
        self.hit, self.other = self.evses
        self.control = Control(self.evses, self.clock)
        self.told = []
        self.hit.fault_changed.connect(lambda evse, fault, on: self.told.append((fault.name, on)))
        self.openings = []
        self.other.contactor_changed.connect(lambda evse, closed: self.openings.append(closed))
        self.run(2_000)
        if charge:
            for evse in self.evses:
                evse.wishes.permitted = True
                evse.plug_in()
            self.run(2_000)
            for evse in self.evses:
                evse.set_state("C")
            self.run(2_000)
            assert self.hit.charging and self.other.charging, self.hit.suspended_reason
            self.openings.clear()

    def run(self, ms):
        for _ in range(ms // PERIOD_MS):
            self.clock.advance(PERIOD_MS)
            self.control.turn(self.clock.ms())

    def until(self, condition, limit_ms):
        began = self.clock.ms()
        while not condition():
            if self.clock.ms() - began >= limit_ms:
                return None
            self.run(PERIOD_MS)
        return self.clock.ms() - began

    def break_driver(self, call, error):
        self.hit.drivers.broken, self.hit.drivers.error = (call,), error

    def repair(self):
        self.hit.drivers.broken = ()

    def lines(self, word):
        return [line for line in self.log.lines() if word in line[3]]


def _raising(error):
    def fails(*args):
        raise error

    return fails


class Listener:
    """An observer that raises the first time, or not at all."""

    def __init__(self, raises=True):
        self.failures = [MemoryError()] if raises else []
        self.heard = []

    def __call__(self, *args):
        if self.failures:
            raise self.failures.pop()
        self.heard.append(args[1:])


def _safe(evse):
    return not evse.drivers.closed and evse.drivers.duty == STATE_F


def test_whatever_a_driver_raises_its_connector_is_safe_within_a_period_and_the_other_charges_on():
    """V2: it opened the neighbour's contactor under load. A driver's OSError is the fault "other"."""
    for i, call in enumerate(CALLS):
        error = RAISED[i % len(RAISED)]
        twins = Twins()
        twins.break_driver(call, error)
        twins.run(100 if call in ("ohm", "temperature_dc") else PERIOD_MS)
        assert _safe(twins.hit), (call, error)
        assert twins.hit.names[0] == "control_failed" and not twins.hit.charging
        assert twins.told == [("control_failed", True)]
        lines = twins.lines("control failed")
        assert len(lines) == 1 and lines[0][2] == "evse1" and type(error).__name__ in lines[0][3], lines
        twins.repair()
        twins.run(2_200)
        assert twins.told == [("control_failed", True), ("control_failed", False)] and twins.hit.names == []
        assert twins.other.charging and twins.openings == []
    assert twins.until(lambda: twins.hit.charging, 31_000) is not None


def test_what_the_machine_raises_at_any_place_is_over_when_it_works_again():
    places = ("_see", "_see_failure", "_offer", "_switch", "_secure_plug", "_vehicle_left")
    for i, name in enumerate(places):
        twins = Twins()
        machine = twins.hit.machine
        works = getattr(machine, name)

        setattr(machine, name, _raising((RAISED + (OSError(5),))[i % 4]))
        if name == "_vehicle_left":
            twins.hit.set_state("A")
        twins.run(100)
        assert _safe(twins.hit) and twins.hit.names == ["control_failed"], name
        setattr(machine, name, works)
        twins.hit.set_state("C")
        twins.run(2_200)
        assert twins.hit.names == [] and twins.other.charging and twins.openings == []
    assert twins.until(lambda: twins.hit.charging, 31_000) is not None


def test_an_observer_that_raises_costs_the_others_nothing_and_hears_it_again():
    for name in ("state_changed", "contactor_changed", "pilot_changed", "lock_changed", "limit_changed"):
        twins = Twins()
        hit = twins.hit
        signal = getattr(hit, name)
        listener = Listener()
        after = Listener(False)
        signal.connect(listener)
        signal.connect(after)
        hit.wishes.hold_plug = False
        hit.wishes.permitted = False
        hit.limits.set("ocpp", 10_000)
        hit.set_state("A")
        hit.drivers.ohms = None
        twins.run(40 if name == "limit_changed" else 1_000)
        assert not listener.failures and after.heard, name  # who is connected behind it has heard
        assert _safe(hit) and "control_failed" in hit.names, name
        twins.run(3_000)
        assert listener.heard and hit.names == [] and hit.state == "A", name
        assert twins.other.charging and twins.openings == []


def test_an_observer_hears_again_of_faults_and_of_the_stop_button():
    twins = Twins()
    failures = [KeyError("a"), KeyError("b")]
    heard = []

    def observer(*args):
        if failures:
            raise failures.pop()
        heard.append([arg for arg in args if arg is not twins.hit])

    twins.hit.stop_pressed.connect(observer)
    twins.hit.press_stop()
    twins.run(40)
    assert _safe(twins.hit) and heard == []
    twins.run(5_000)
    assert heard == [[]]
    failures.append(KeyError("c"))
    twins.hit.fault_changed.connect(observer)
    twins.hit.raise_fault("meter_lost")
    twins.run(6_000)
    assert ["meter_lost", True] in [[getattr(arg, "name", arg) for arg in event] for event in heard]


def test_a_tell_that_is_interrupted_is_told_again():
    twins = Twins()
    heard = []
    twins.hit.contactor_changed.connect(lambda evse, closed: heard.append(closed))
    info = twins.log.info

    def fails(area, text, *args):
        if area == "evse1" and text.startswith("contactor"):
            raise MemoryError
        info(area, text, *args)

    twins.log.info = fails
    twins.hit.set_state("B")
    twins.run(100)
    assert _safe(twins.hit)
    twins.log.info = info
    twins.run(3_000)
    assert heard[-1] is False and not twins.hit.charging


def test_pauses_grow_to_a_minute_and_are_forgotten_after_a_while():
    recovery = Recovery()
    now = 0
    pauses = []
    for _ in range(9):
        pauses.append(recovery.failed(now))
        while recovery.state == RESTS:
            now += 20
            recovery.step(now)
    assert pauses == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]
    while recovery.state != WORKS:
        now += 20
        recovery.step(now)
    assert recovery.failed(now + FORGOTTEN_MS - 1_000) == 60_000
    while recovery.state != WORKS:
        now += 1_000
        recovery.step(now)
    assert recovery.failed(now + FORGOTTEN_MS) == 1_000


def test_a_connector_that_keeps_failing_is_tried_seldom_and_reported_once():
    twins = Twins()
    twins.break_driver("sample", TypeError("broken for good"))
    twins.run(130_000)
    assert len(twins.lines("control failed")) == 8
    assert twins.told == [("control_failed", True)] and twins.other.charging
    assert _safe(twins.hit)


def test_a_connector_at_rest_holds_its_contactor_open():
    twins = Twins()
    twins.break_driver("sample", TypeError("a defect"))
    twins.run(100)
    twins.hit.drivers.closed = True  # a glitch
    twins.run(PERIOD_MS)
    assert not twins.hit.drivers.closed


def test_who_goes_while_the_connector_rests_has_gone():
    """V5: no pause of the pilot lets the next vehicle charge for the last one."""
    twins = Twins()
    twins.break_driver("sample", TypeError("a defect"))
    twins.run(20_000)
    assert twins.hit.connected
    twins.hit.pull_out()
    twins.run(5_000)
    assert not twins.hit.connected and twins.hit.state == "A"
    twins.hit.plug_in()
    twins.run(5_000)
    assert not twins.hit.connected


def test_the_vehicle_that_stays_is_not_taken_for_another_one():
    for socket in (True, False):
        twins = Twins(socket)
        states = Listener(False)
        twins.hit.state_changed.connect(states)
        twins.break_driver("sample", TypeError("a defect"))
        twins.run(4_000)
        twins.repair()
        twins.run(60_000)
        assert twins.hit.charging and twins.hit.connected and ("A",) not in states.heard, states.heard


def test_the_wishes_and_what_is_installed_outlast_a_failure():
    twins = Twins(charge=False)
    evse = twins.hit
    evse.wishes.hold_plug = True
    evse.wishes.available = False
    evse.wishes.wake_up = False
    evse.wishes.phases = 1
    evse.set_derating(500, 700)
    evse.wishes.max_imbalance_ma = 20_000
    evse.wishes.ventilation = True
    evse.wishes.permitted = True
    twins.break_driver("sample", TypeError("a defect"))
    twins.run(40)
    twins.repair()
    twins.run(4_000)
    machine = evse.machine
    assert machine.wishes.permitted and machine.wishes.hold_plug and machine.wishes.ventilation
    assert not machine.wishes.available and not machine.wishes.wake_up and evse.state == "F"
    assert machine.wishes.phases == 1 and machine.wishes.max_imbalance_ma == 20_000
    assert (machine.supervision.derating.warm_dc, machine.supervision.derating.floor_dc) == (500, 700)


def test_faults_outlast_a_failure():
    twins = Twins()
    twins.hit.emergency(True)
    twins.run(100)
    twins.hit.emergency(False)
    twins.break_driver("sample", TypeError("a defect"))
    twins.run(100)
    twins.repair()
    twins.run(4_000)
    assert twins.hit.names == ["emergency_stop"]


def test_unplugging_a_fixed_cable():
    """V1: AttributeError in the control task, pilot at -12 V, both connectors dead for a while."""
    for socket in (False, True):
        twins = Twins(socket, charge=False)
        twins.hit.plug_in()
        twins.run(1_000)
        assert twins.hit.state == "B"
        duties = Listener(False)
        twins.hit.pilot_changed.connect(duties)
        twins.hit.pull_out()
        twins.run(1_000)
        assert twins.hit.state == "A" and twins.hit.names == [] and duties.heard == []
        assert twins.hit.drivers.duty == STEADY and not twins.lines("failed")


def test_unplugging_under_load_with_every_set_of_parts():
    """V1, V2"""
    for socket in (False, True):
        for lacks in LACKS:
            twins = Twins(socket, lacks)
            twins.hit.pull_out()
            twins.run(100)
            assert not twins.hit.drivers.closed, (socket, lacks)
            twins.run(1_000)
            assert twins.hit.state == "A" and twins.hit.names == [] and not twins.lines("failed"), (socket, lacks)
            assert twins.other.charging and twins.openings == []


def test_making_safe_reaches_every_driver_and_every_connector():
    for call in ("contactor.drive", "pilot.drive", "disconnect", "lock.halt", "test"):
        twins = Twins()
        twins.hit.drivers.cut = twins.hit.drivers.testing = True
        twins.break_driver(call, ValueError("a defect"))
        twins.hit.drivers.calls.clear()
        make_safe(twins.evses)
        drivers = twins.hit.drivers
        for each in ("contactor.drive", "pilot.drive", "disconnect", "lock.halt", "test"):
            assert each in drivers.calls, (call, each)
        assert drivers.closed == (call == "contactor.drive") and (drivers.duty == STATE_F) == (call != "pilot.drive")
        assert drivers.cut == (call == "disconnect") and drivers.testing == (call == "test")
        assert _safe(twins.other)


def test_making_safe_goes_on_behind_one_that_raises():
    class Raises:
        def fail_safe(self):
            raise ValueError("a defect")

    clock = FakeClock()
    evse = SiteEvse(clock)
    run(clock, [evse], 1_000)
    make_safe([Raises(), evse])
    assert _safe(evse)


def test_the_control_task_outlives_what_a_connector_raises_and_ends_safely():
    async def scenario():
        twins = Twins()
        task = asyncio.create_task(Control(twins.evses, twins.clock).run(lambda: None))
        await twins.clock.run_for(100)
        twins.break_driver("is_closed", KeyError("a defect"))
        await twins.clock.run_for(30_000)
        assert not task.done() and twins.other.drivers.closed and _safe(twins.hit)
        task.cancel()
        with raises(asyncio.CancelledError):
            await task
        assert _safe(twins.hit) and _safe(twins.other)

    run_async(scenario())


def test_no_memory_for_the_report_neither():
    twins = Twins()

    def fails(*args):
        raise MemoryError

    error = twins.log.error
    twins.log.error = fails
    twins.break_driver("sample", MemoryError())
    twins.run(100)
    twins.log.error = error
    assert _safe(twins.hit) and "control_failed" in twins.hit.names and twins.other.charging


def test_a_signal_calls_everybody_and_its_own_handler():
    seen = []
    errors = []
    signal = Signal(errors.append)

    def raises_(value):
        raise IndexError(value)

    signal.connect(raises_)
    signal.connect(seen.append)
    signal.emit(1)
    assert seen == [1] and len(errors) == 1


def test_drivers_of_the_bench_lack_what_they_shall():
    assert not Drivers("lock rcd_test").lock.fitted and Drivers("lock").rcd.fitted
