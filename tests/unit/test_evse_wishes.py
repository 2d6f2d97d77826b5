"""What the layers above ask of a connector, what it keeps over a power cut, and the rhythm of the control task."""

import asyncio

from evse_site import SiteEvse, run
from harness import FakeClock, raises, settle
from harness import run as run_async

from firmware.evse.control import Control
from firmware.evse.faults import Fault
from firmware.kernel.log import Log
from firmware.kernel.reading import Reading


def _site(**options):
    clock = FakeClock()
    evse = SiteEvse(clock, **options)
    run(clock, (evse,), 2_000)
    return clock, evse


def _charging(**options):
    clock, evse = _site(**options)
    evse.wishes.permitted = True
    evse.plug_in()
    run(clock, (evse,), 2_000)
    evse.set_state("C")
    run(clock, (evse,), 2_000)
    assert evse.charging
    return clock, evse


def test_what_is_wished_before_anybody_wishes():
    wishes = _site()[1].wishes
    assert (wishes.permitted, wishes.available, wishes.hold_plug, wishes.phases) == (False, True, None, 3)
    assert (wishes.wake_up, wishes.ventilation, wishes.max_imbalance_ma) == (True, False, 0)


def test_a_connector_has_its_number():
    assert _site(number=2)[1].number == 2


def test_one_or_three_phases():
    clock, evse = _site()
    for phases in (1, 3, 1):
        evse.wishes.phases = phases
        run(clock, (evse,), 40)
        assert evse.phases == phases
    for phases in (0, 2, 4):
        with raises(ValueError):
            evse.wishes.phases = phases
    run(clock, (evse,), 40)
    assert evse.phases == 1


def test_a_lock_that_failed_is_tried_again_when_somebody_wants_it():
    """V10."""
    clock, evse = _site()
    driven = []
    evse.drivers.lock.drive = driven.append  # the bolt does not move
    evse.wishes.hold_plug = True
    evse.plug_in()
    run(clock, (evse,), 6_000)
    assert evse.names == ["lock_failed"]
    run(clock, (evse,), 6_000)
    driven.clear()
    evse.retry_lock()
    assert evse.names == []
    run(clock, (evse,), 1_000)
    assert True in driven and evse.names == []
    run(clock, (evse,), 5_000)
    assert evse.names == ["lock_failed"]


def test_the_voltages_of_the_meter_are_looked_at():
    clock, evse = _site()
    evse.set_meter(Reading(voltages_mv=(260_000,) * 3))
    run(clock, (evse,), 2_100)
    assert evse.names == ["overvoltage"]


def test_the_register_of_the_meter_tells_a_weld_where_no_contact_does():
    clock, evse = _charging()
    evse.drivers.is_closed = lambda: None
    evse.set_state("B")
    run(clock, (evse,), 4_000)
    for energy_wh in (1, 2, 3):
        evse.set_meter(Reading(currents_ma=tuple([16_000] * 3), energy_wh=energy_wh))
        run(clock, (evse,), 1_000)
    assert evse.names == ["contactor_welded"]


def test_a_reading_is_valid_for_10_s():
    clock, evse = _site()
    evse.set_meter(Reading(currents_ma=(0, 0, 0)))
    for ms, names in ((10_000, []), (1, ["overcurrent_blind"])):
        clock.advance(ms)
        evse.tick()
        assert evse.names == names, ms
    evse.set_meter(Reading(currents_ma=(0, 0, 0)))
    evse.set_meter(None)
    run(clock, (evse,), 40)
    assert evse.names == ["overcurrent_blind"], "a meter that does not answer says so at once"


def test_a_fault_of_another_part_is_not_taken_for_one_of_the_drivers():
    clock, evse = _site()
    evse.raise_fault("other")
    run(clock, (evse,), 200)
    assert evse.names == ["other"]


def test_an_interruption_to_wake_the_vehicle_is_known():
    clock, evse = _site()
    evse.wishes.permitted = True
    evse.plug_in()
    seen = []
    for _ in range(96_000 // 20):
        run(clock, (evse,), 20)
        if evse.waking != (seen[-1] if seen else False):
            seen.append(evse.waking)
        assert evse.waking == evse.drivers.cut
    assert seen == [True, False]


def test_a_fault_that_a_person_has_reset_does_not_come_back():
    clock, evse = _site()
    evse.raise_fault("overcurrent")
    run(clock, (evse,), 40)
    evse.reset_fault("overcurrent")
    run(clock, (evse,), 40)
    assert evse.names == []


class _Memory:
    def __init__(self, kept=None):
        self.kept = kept
        self.saved = []

    def load(self):
        return self.kept

    def save(self, value):
        self.saved.append(tuple(value))


def test_a_pause_goes_on_over_a_power_cut():
    """V7."""
    clock = FakeClock()
    log = Log(clock)
    memory = _Memory([1, 0, 1])
    evse = SiteEvse(clock, memory=memory, log=log)
    assert memory.saved == [(2, 1, 0)]
    assert evse.recovering, "before the first step, too"
    assert len([line for line in log.lines() if "power went" in line[3]]) == 1
    evse.wishes.permitted = True
    evse.plug_in()
    run(clock, (evse,), 59_980)
    assert evse.recovering and evse.offered_ma == 0
    run(clock, (evse,), 40)
    assert not evse.recovering and evse.offered_ma > 0
    assert memory.saved == [(2, 1, 0)]


def test_nothing_is_written_where_nothing_failed():
    for kept in (None, [0, 0, 0]):
        clock = FakeClock()
        log = Log(clock)
        memory = _Memory(kept)
        evse = SiteEvse(clock, memory=memory, log=log)
        run(clock, (evse,), 1_000)
        assert not evse.recovering and memory.saved == [] and list(log.lines()) == []


def test_what_was_kept_and_cannot_be_read_is_logged():
    clock = FakeClock()
    log = Log(clock)
    evse = SiteEvse(clock, memory=_Memory(["x"]), log=log)
    assert not evse.recovering
    assert [line[3] for line in log.lines() if "is not known" in line[3]] != []


def test_an_opening_behind_the_machines_back_is_kept_at_once():
    memory = _Memory()
    evse = _charging(memory=memory)[1]
    assert memory.saved[-1] != (0, 0, 0)
    evse.fail_safe()
    assert memory.saved[-1] == (0, 0, 0)


def test_a_flash_that_refuses_costs_a_line():
    class Refuses(_Memory):
        def save(self, value):
            raise OSError(28)

    clock = FakeClock()
    log = Log(clock)
    evse = _charging(memory=Refuses(), log=log)[1]
    assert evse.charging and [line for line in log.lines() if "is not kept" in line[3]]


def test_at_rest_only_the_first_failure_counts():
    """V2: who hears of the fault and raises as well does not make the pause longer."""
    clock, evse = _site()

    def raises_(*args):
        raise ValueError("a defect")

    evse.fault_changed.connect(raises_)
    evse.drivers.broken, evse.drivers.error = ("sample",), ValueError("a defect")
    run(clock, (evse,), 20)
    assert evse.names == ["control_failed"]
    evse.drivers.broken = ()
    for ms, tried in ((999, False), (1, True)):
        evse.drivers.calls.clear()
        clock.advance(ms)
        evse.tick()
        assert ("sample" in evse.drivers.calls) == tried, ms


def test_what_is_told_is_told_once():
    clock, evse = _site()
    told = _listening(evse)
    evse.fault_changed.connect(lambda evse, fault, on: told.append((fault.name, on)))
    run(clock, (evse,), 200)
    assert told == []
    evse.press_stop()
    evse.raise_fault("reader_lost")
    run(clock, (evse,), 200)
    assert told == ["stop_pressed", ("reader_lost", True)]
    evse.raise_fault("meter_lost")
    run(clock, (evse,), 200)
    assert told == ["stop_pressed", ("reader_lost", True), ("meter_lost", True)]


def _listening(evse):
    told = []
    for name in ("state_changed", "contactor_changed", "lock_changed", "pilot_changed", "limit_changed"):
        getattr(evse, name).connect(lambda *args, name=name: told.append(name))
    evse.stop_pressed.connect(lambda evse: told.append("stop_pressed"))
    return told


def test_the_first_step_tells_what_nobody_could_know():
    clock = FakeClock()
    evse = SiteEvse(clock)
    told = _listening(evse)
    run(clock, (evse,), 20)
    assert told == ["pilot_changed", "lock_changed"]


def test_who_has_heard_everything_hears_nothing_twice_after_a_failure():
    """V2: the pilot's state F, and the change back."""
    clock, evse = _site()
    told = _listening(evse)
    evse.drivers.broken, evse.drivers.error = ("sample",), ValueError("a defect")
    run(clock, (evse,), 20)
    evse.drivers.broken = ()
    run(clock, (evse,), 5_000)
    assert evse.names == [] and told == ["pilot_changed", "pilot_changed"]


def test_what_was_not_told_because_the_telling_itself_failed_is_told_later():
    """V2: no memory for the call."""
    clock, evse = _site()
    told = []
    signal = evse.state_changed
    signal.connect(lambda evse, state: told.append(state))
    emit = signal.emit

    def fails(*args):
        signal.emit = emit
        raise MemoryError

    signal.emit = fails
    evse.plug_in()
    run(clock, (evse,), 60)
    assert told == [] and evse.names == ["control_failed"]
    run(clock, (evse,), 5_000)
    assert told == ["B"] and evse.names == []


def test_a_second_telling_leaves_no_line_in_the_log():
    log = Log(FakeClock())
    clock, evse = _charging(log=log)
    told = _listening(evse)
    failures = [ValueError("a defect")]

    def fails(*args):
        if failures:
            raise failures.pop()

    evse.limit_changed.connect(fails)
    evse.limits.set("ocpp", 10_000)
    run(clock, (evse,), 20)
    lines = len(list(log.lines()))
    told.clear()
    run(clock, (evse,), 2_000)
    assert "contactor_changed" in told and "state_changed" in told and "stop_pressed" not in told
    words = [line[3].split()[0] for line in list(log.lines())[lines:]]
    assert words.count("contactor") == 1 and "pilot" not in words, words  # it was opened


def test_who_did_not_hear_everything_hears_everything_once_more():
    """V2. The stop button is told again only to who missed it."""
    clock, evse = _site()
    failures = [ValueError("a defect")]
    told = []

    def fails(*args):
        if failures:
            raise failures.pop()

    evse.press_stop()
    evse.limit_changed.connect(fails)
    evse.limit_changed.connect(lambda evse, milliamps, slot: told.append(milliamps))
    evse.state_changed.connect(lambda evse, state: told.append(state))
    evse.stop_pressed.connect(lambda evse: told.append("stop_pressed"))
    evse.limits.set("ocpp", 10_000)
    run(clock, (evse,), 20)
    assert told == [10_000] and evse.names == ["control_failed"]
    run(clock, (evse,), 5_000)
    assert told == [10_000, "A", 10_000] and evse.names == []


def test_the_log_names_each_change_once():
    log = Log(FakeClock())
    evse = _charging(log=log)[1]
    evse.raise_fault("reader_lost")
    evse.tick()
    texts = [line[3] for line in log.lines()]
    assert texts == [
        "pilot A -> B",
        "contactor closed",
        "pilot B -> C",
        "fault reader_lost on (%s)" % Fault("reader_lost").code,
    ]


class _Twin:
    def __init__(self, breaks=()):
        self.breaks = breaks
        self.calls = []

    def _call(self, name):
        self.calls.append(name)
        if name in self.breaks:
            raise ValueError("a defect")

    def act(self, now_ms):
        self._call("act")

    def tell(self):
        self._call("tell")

    def failed(self, exc):
        self._call("failed")

    def fail_safe(self):
        self._call("fail_safe")


def test_whatever_a_connector_lets_out_is_given_back_to_it():
    """V2."""
    for breaks, calls in ((("act",), ["act", "failed", "tell"]), (("tell",), ["act", "tell", "failed"])):
        twins = _Twin(breaks), _Twin()
        Control(twins, FakeClock()).turn(0)
        assert twins[0].calls == calls and twins[1].calls == ["act", "tell"]


class _Early(FakeClock):
    """Sleeps end a millisecond too early, as where two clocks differ."""

    async def _sleep_virtually(self, ms):
        await super()._sleep_virtually(ms - 1)


def _beats(holds, after_turn=None, run_ms=100, kind=FakeClock):
    """Returns the ms of the turns, and of the beats, of a control task that is held for `holds` ms after its first."""

    async def scenario():
        clock = kind()
        twin = _Twin()
        beats, turns = [], []
        twin.act = turns.append
        options = {} if after_turn is None else {"after_turn": lambda: after_turn(clock)}
        task = asyncio.create_task(Control((twin,), clock, **options).run(lambda: beats.append(clock.ms())))
        await settle()
        clock.advance(holds)
        await settle()
        await clock.run_for(run_ms)
        task.cancel()
        with raises(asyncio.CancelledError):
            await task
        assert twin.calls[-1] == "fail_safe"
        return turns, beats

    return run_async(scenario())


def test_a_period_that_is_missed_is_left_out():
    for held_ms, beats in (
        (20, [0, 20, 40, 60]),
        (21, [0, 21, 40, 60]),
        (39, [0, 39, 40, 60]),
        (40, [0, 40, 60, 80]),
        (41, [0, 41, 60, 80]),
        (60, [0, 60, 80, 100]),
    ):
        assert _beats(held_ms)[1][:4] == beats, held_ms


def test_a_pacer_is_started_and_stopped():
    calls = []

    class Pacer:
        def start(self, period_ms):
            calls.append(period_ms)
            return 5

        def stop(self):
            calls.append("stopped")

    async def scenario():
        clock = FakeClock()
        clock.advance(5)
        beats = []
        control = Control((_Twin(),), clock, pacer=Pacer())
        task = asyncio.create_task(control.run(lambda: beats.append(clock.ms())))
        await clock.run_for(50)
        task.cancel()
        with raises(asyncio.CancelledError):
            await task
        assert beats == [5, 25, 45] and calls == [20, "stopped"]

    run_async(scenario())


def test_who_is_woken_a_little_early_is_not_woken_twice():
    assert _beats(0, kind=_Early)[1][:4] == [0, 19, 39, 59]


def test_periods_count_from_the_first_one_on():
    class Started(FakeClock):
        def __init__(self):
            super().__init__()
            self.advance(7)

    assert _beats(0, kind=Started)[1][:3] == [7, 27, 47] and _beats(30, kind=Started)[1][:3] == [7, 37, 47]


def test_after_a_collection_all_connectors_are_stepped_again_at_once():
    collected = []

    def collects(clock):
        collected.append(clock.ms())
        if len(collected) == 2:
            clock.advance(5)
            return True
        return False

    turns, beats = _beats(0, collects)
    assert turns[:5] == [0, 20, 25, 40, 60] and beats[:4] == [0, 25, 40, 60]
