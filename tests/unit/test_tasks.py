"""Supervision: a task that dies or hangs starts again, the watchdog is fed only while all hearts beat."""

import asyncio

from harness import FakeClock, tell_of_deaths

from firmware.kernel.log import ERROR, Log
from firmware.kernel.tasks import LoopGaps, Supervisor


class World:
    """A supervisor in virtual time, running inside `async with`."""

    def __init__(self):
        self.clock = FakeClock()
        self.log = Log(self.clock)
        self.critical = []
        self.fed = 0
        self.supervisor = Supervisor(self.clock, self.log, watchdog=self, on_critical=self.critical.append)

    def feed(self):
        self.fed += 1

    async def __aenter__(self):
        tell_of_deaths()
        self._task = asyncio.create_task(self.supervisor.run())

    async def __aexit__(self, *exc):
        self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            pass


async def test_a_task_that_dies_is_logged_and_started_again():
    world = World()
    lives = []

    async def mortal(beat):
        lives.append(1)
        if len(lives) < 3:
            raise OSError(5)
        await asyncio.Event().wait()

    world.supervisor.add("mortal", mortal)
    async with world:
        await world.clock.run_for(350)  # back-off 100 ms, then 200 ms
    assert len(lives) == 3
    assert [line[2] for line in world.log.lines(ERROR)] == ["mortal", "mortal"]
    assert [restarts for _, _, restarts, _ in world.supervisor.tasks()] == [2]


async def test_the_death_of_a_critical_task_is_told_at_once():
    world = World()

    async def control(beat):
        raise ValueError("boom")

    world.supervisor.add("control", control, critical=True)
    async with world:
        await world.clock.run_for(0)
    assert world.critical[0] == "control"


async def test_a_task_without_heartbeat_is_cancelled_started_again_and_starves_the_watchdog():
    world = World()
    lives = []

    async def hung(beat):
        lives.append(world.fed)
        await asyncio.Event().wait()

    world.supervisor.add("hung", hung, heartbeat_ms=2_000, critical=True)
    async with world:
        await world.clock.run_for(2_000)
        assert world.fed == 5  # at 0, 500 ... 2000 ms
        await world.clock.run_for(600)
    assert world.fed == 5
    assert world.critical == ["hung"]
    assert len(lives) == 2


async def test_a_task_that_waits_longer_than_its_heartbeat_to_be_run_again_is_run_again():
    world = World()
    lives = []

    async def mortal(beat):
        lives.append(1)
        raise OSError(5)

    world.supervisor.add("mortal", mortal, heartbeat_ms=500)
    async with world:
        await world.clock.run_for(13_000)  # back-off 100, 200 ... 6400 ms
    assert len(lives) == 8


async def test_tasks_clean_up_before_the_supervisor_ends():
    world = World()
    ended = []

    async def linked(beat):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # a close frame, say
            ended.append("linked")

    world.supervisor.add("linked", linked)
    async with world:
        await world.clock.run_for(1_000)
    assert ended == ["linked"]


async def test_a_hung_task_is_run_again_once_it_has_cleaned_up_and_not_while_the_supervisor_ends():
    world = World()
    events = []

    async def hung(beat):
        events.append("run")
        try:
            await asyncio.Event().wait()
        finally:
            await world.clock.sleep_ms(300)
            events.append("clean")
            raise OSError(5)

    world.supervisor.add("hung", hung, heartbeat_ms=1_000)
    async with world:
        await world.clock.run_for(1_500)  # cancelled, and still at it
        assert events == ["run"]
        await world.clock.run_for(300)
        assert events == ["run", "clean"]
        await world.clock.run_for(100)
        assert events == ["run", "clean", "run"]
        assert [line[2] for line in world.log.lines(ERROR)] == ["tasks", "hung"]
        await world.clock.run_for(1_200)
        assert events == ["run", "clean", "run"], "cancelled again"
    await world.clock.run_for(1_000)
    assert events.count("run") == 2


async def test_the_death_of_a_task_that_nobody_supervises_is_logged():
    world = World()

    async def stray():
        raise KeyError("injected")

    async with world:
        await world.clock.run_for(0)
        asyncio.create_task(stray())
        await world.clock.run_for(0)
    assert [line[2:] for line in world.log.lines(ERROR)] == [("task", "KeyError: injected")] or (
        [line[2:] for line in world.log.lines(ERROR)] == [("task", "KeyError: 'injected'")]  # CPython quotes it
    )


async def test_a_task_that_returns_is_done():
    world = World()
    runs = []

    async def once(beat):
        runs.append(1)

    world.supervisor.add("once", once, heartbeat_ms=1_000)
    async with world:
        await world.clock.run_for(10_000)
    assert world.fed == 21
    assert runs == [1]


def test_loop_gap_quantiles():
    gaps = LoopGaps()
    for late in [0] * 998 + [3, 17]:
        gaps.record(late)
    assert gaps.quantile_ms(500) == 0
    assert gaps.p999_ms == 3
    assert gaps.max_ms == 17
    gaps.record(500)
    assert gaps.quantile_ms(1000) == 500
