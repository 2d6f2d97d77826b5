"""The connector above its drivers, and the control task: rate, failing drivers, and what happens when it dies."""

import asyncio

from evse_site import Drivers
from harness import FakeClock, raises, run, settle

from firmware.evse.control import PERIOD_MS, Control, Evse
from firmware.evse.limits import STATE_F, STEADY
from firmware.kernel.log import Log
from firmware.kernel.reading import Reading


class _Site:
    def __init__(self, **options):
        self.clock = FakeClock()
        self.drivers = Drivers()
        self.log = Log(self.clock)
        self.evse = Evse(1, self.drivers, self.clock, self.log, **options)
        self.told = []
        for name in ("state_changed", "contactor_changed", "lock_changed", "limit_changed"):
            self._listen(name)
        self.evse.pilot_changed.connect(lambda evse: self.told.append(("pilot_changed", evse.duty)))
        self.evse.fault_changed.connect(lambda evse, fault, on: self.told.append((fault.name, on)))
        self.run(2_000)

    def _listen(self, name):
        getattr(self.evse, name).connect(lambda evse, *args: self.told.append((name,) + args))

    def run(self, ms):
        for _ in range(ms // PERIOD_MS):
            self.clock.advance(PERIOD_MS)
            self.evse.tick(self.clock.ms())

    def charge(self):
        self.evse.wishes.permitted = True
        self.drivers.high, self.drivers.ohms = 9_000, 220
        self.run(2_000)
        self.drivers.high = 6_000
        self.run(2_000)
        assert self.evse.charging, self.evse.suspended_reason

    @property
    def names(self):
        return [fault.name for fault in self.evse.faults]


def test_a_session_is_told_by_signals_and_readings():
    site = _Site(max_ma=25_000)
    evse = site.evse
    assert (evse.state, evse.connected, evse.offered_ma, evse.cable_ma) == ("A", False, 0, None)
    assert evse.suspended_reason == "no vehicle" and evse.limit == (25_000, "supply")
    site.told.clear()
    site.charge()
    assert site.told == [
        ("state_changed", "B"),
        ("lock_changed", True),
        ("pilot_changed", 4_167),
        ("contactor_changed", True),
        ("state_changed", "C"),
    ]
    assert (evse.state, evse.connected, evse.vehicle_ready, evse.charging) == ("C", True, True, True)
    assert (evse.offered_ma, evse.cable_ma, evse.locked, evse.phases) == (25_000, 32_000, True, 3)
    assert evse.suspended_reason is None and evse.faults == () and evse.temperature_dc == 250


def test_the_plug_is_held_and_given_back():
    site = _Site()
    site.drivers.high, site.drivers.ohms = 9_000, 680
    site.evse.wishes.hold_plug = True
    site.run(500)
    assert site.evse.locked
    site.evse.wishes.hold_plug = False
    site.run(500)
    assert not site.evse.locked


def test_without_lock_there_is_no_lock_state():
    clock = FakeClock()
    evse = Evse(1, Drivers("lock"), clock, Log(clock), fixed_cable=True)
    evse.tick(20)
    evse.retry_lock()
    assert evse.locked is None and evse.cable_ma is None


def test_stop_button_withdraws_and_tells():
    site = _Site()
    site.charge()
    pressed = []
    site.evse.stop_pressed.connect(pressed.append)
    site.evse.press_stop()
    site.run(20)
    assert site.evse.duty == STEADY and pressed == [site.evse]


def test_emergency_stop():
    site = _Site()
    site.charge()
    site.evse.emergency(True)
    site.run(60)
    assert not site.drivers.closed and site.names == ["emergency_stop"]


def test_faults_from_elsewhere():
    site = _Site()
    site.charge()
    site.told.clear()
    site.evse.raise_fault("other", "SPD TRIPPED", "surge")
    assert site.evse.faults[0].code == "SPD TRIPPED" and site.told == []
    site.run(20)
    assert not site.drivers.closed and site.told[0] == ("other", True)
    site.evse.raise_fault("other", "SPD TRIPPED", "another surge")
    site.run(20)
    assert site.told.count(("other", True)) == 2 and ("other", False) not in site.told  # other words, same fault
    site.evse.clear_fault("other")
    site.run(20)
    assert site.told[-1] == ("other", False) and site.names == []
    with raises(KeyError):
        site.evse.raise_fault("gremlins")


def test_a_latched_fault_ends_when_a_person_says_so():
    site = _Site()
    site.evse.raise_fault("overcurrent")
    site.evse.reset_fault("overcurrent")
    assert site.evse.faults == ()


def test_an_old_meter_reading_says_nothing_about_now():
    site = _Site()
    site.charge()
    site.evse.set_meter(Reading(currents_ma=(20_000,) * 3, voltages_mv=(230_000,) * 3))
    site.run(9_000)
    assert site.evse.charging
    site.evse.set_meter(Reading(currents_ma=(60_000,) * 3))
    site.run(5_000)
    site.run(60_000)
    assert site.names == ["overcurrent", "overcurrent_blind"]
    site = _Site()
    site.charge()
    site.evse.set_meter(Reading(currents_ma=(60_000,) * 3))
    site.evse.limits.set("ocpp", 0)  # paused: the reading grows old
    site.run(11_000)
    site.evse.limits.clear("ocpp")
    site.run(30_000)
    assert site.names == ["overcurrent_blind"]


def test_a_driver_that_fails_becomes_a_fault_and_the_contactor_opens():
    for broken in ("sample", "is_closed", "is_tripped", "is_locked", "ohm", "temperature_dc", "pilot.drive"):
        site = _Site()
        site.charge()
        site.drivers.broken = (broken,)
        if broken == "pilot.drive":
            site.evse.limits.set("ocpp", 10_000)
            site.run(5_000)
        site.run(160)
        assert not site.drivers.closed, broken
        assert "other" in site.names, broken
        site.drivers.broken = ()
        site.run(4_000)
        assert "other" in site.names  # not yet trusted
        site.run(12_000)
        assert "other" not in site.names, broken


def test_an_output_that_failed_is_written_again():
    site = _Site()
    site.drivers.high, site.drivers.ohms = 9_000, 220
    site.drivers.broken = ("lock.drive", "pilot.drive")
    site.evse.wishes.hold_plug = True
    site.evse.wishes.available = False
    site.run(1_000)
    assert not site.drivers.lock.locked and site.drivers.duty == STEADY
    site.drivers.broken = ()
    site.run(100)
    assert site.drivers.lock.locked and site.drivers.duty == STATE_F


def test_a_failing_indicator_stops_nothing():
    site = _Site()
    site.drivers.broken = ("show",)
    site.charge()
    assert site.evse.charging and site.names == []


def test_the_indicator_shows_the_state_until_somebody_chooses():
    site = _Site()
    assert site.drivers.pattern == "free"
    site.charge()
    assert site.drivers.pattern == "charging"
    site.evse.show("done")
    site.run(20)
    assert site.drivers.pattern == "done"
    site.evse.show(None)
    site.evse.raise_fault("other")
    site.run(20)
    assert site.drivers.pattern == "faulted"


def test_nobody_is_told_before_the_contactor_is_open():
    """An observer may write to flash, which takes longer than the vehicle may wait."""
    site = _Site()
    site.charge()
    seen = []
    site.evse.fault_changed.connect(lambda evse, fault, on: seen.append((fault.name, site.drivers.closed)))
    site.evse.contactor_changed.connect(lambda evse, closed: seen.append(("contactor", site.drivers.closed)))
    site.evse.emergency(True)
    site.run(60)
    assert seen == [("emergency_stop", False), ("contactor", False)]


def test_twin_connectors_both_act_before_anybody_is_told():
    clock = FakeClock()
    order = []

    class Twin:
        def __init__(self, name):
            self.name = name

        def act(self, now_ms):
            order.append("act " + self.name)

        def tell(self):
            order.append("tell " + self.name)

        def fail_safe(self):
            pass

    async def scenario():
        task = asyncio.create_task(Control((Twin("1"), Twin("2")), clock).run(lambda: None))
        await settle()
        task.cancel()
        with raises(asyncio.CancelledError):
            await task

    run(scenario())
    assert order == ["act 1", "act 2", "tell 1", "tell 2"]


def test_the_contactor_is_written_before_the_pilot():
    """It has the deadline."""
    site = _Site()
    site.charge()
    site.evse.raise_fault("other")
    site.drivers.calls.clear()
    site.run(20)
    calls = site.drivers.calls
    assert calls.index("contactor.drive") < calls.index("pilot.drive")


def _control(body, evses=()):
    """Runs body(clock, control task's ticks) with a control task over `evses`."""

    async def scenario():
        clock = FakeClock()
        beats = []
        task = asyncio.create_task(Control(evses, clock).run(lambda: beats.append(clock.ms())))
        await settle()
        await body(clock, beats)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass

    run(scenario())


def test_a_fixed_rate_without_drift():
    async def body(clock, beats):
        await clock.run_for(10_000)
        assert beats == list(range(0, 10_001, 20))

    _control(body)


def test_missed_ticks_are_left_out_and_the_rhythm_kept():
    async def body(clock, beats):
        await clock.run_for(100)
        clock.advance(135)  # the scheduler was held
        await settle()
        await clock.run_for(100)
        late = [beat for beat in beats if beat > 100]
        assert late[0] == 235 and late[1:] == [240, 260, 280, 300, 320]

    _control(body)


def test_a_cancelled_control_task_leaves_the_contactor_open():
    async def scenario():
        clock = FakeClock()
        drivers = Drivers()
        evse = Evse(1, drivers, clock, Log(clock))
        task = asyncio.create_task(Control((evse,), clock).run(lambda: None))
        evse.wishes.permitted = True
        drivers.high, drivers.ohms = 6_000, 220
        await clock.run_for(2_000)
        assert drivers.closed
        task.cancel()
        with raises(asyncio.CancelledError):
            await task
        assert not drivers.closed and drivers.duty == STATE_F

    run(scenario())


def test_making_safe_reaches_the_pilot_though_the_contactor_driver_is_broken():
    site = _Site()
    site.charge()
    site.drivers.broken = ("contactor.drive",)
    site.drivers.error = ValueError("a defect")
    site.evse.fail_safe()
    assert site.drivers.duty == STATE_F


def test_a_restarted_control_task_goes_on_from_the_safe_state():
    site = _Site()
    site.charge()
    site.evse.fail_safe()
    assert site.drivers.duty == STATE_F and not site.drivers.closed
    site.run(320)
    assert site.drivers.duty != STATE_F
    site.run(29_000)
    assert not site.drivers.closed  # a task that keeps dying must not make the contactor chatter
    site.run(2_000)
    assert site.evse.charging and site.drivers.closed
