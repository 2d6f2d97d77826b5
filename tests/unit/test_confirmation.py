"""When a start is good, and what happens to a version on trial that is not."""

import asyncio
import json

from folder import fresh_folder
from harness import FakeClock, run, settle, tell_of_deaths

from firmware.kernel.log import Log
from firmware.kernel.tasks import Supervisor
from firmware.maintenance.confirmation import Confirmation
from firmware.maintenance.slots import ApplicationSlots

_SECONDS = 60


class World:
    """A supervisor with the tasks of a station, one of which behaves as it is told."""

    def __init__(self, state, running="b"):
        self.root = fresh_folder()
        with open(self.root + "/slots.json", "w") as file:
            file.write(json.dumps(state))
        self.clock = FakeClock()
        self.log = Log(self.clock)
        self.supervisor = Supervisor(self.clock, self.log)
        self.slots = ApplicationSlots(running, self.root)
        self.full = False
        self.told = []
        self.stored = 0
        self.confirmation = Confirmation(self.slots, self.supervisor, self.clock, self.log, _SECONDS, self.store)
        self.confirmation.confirmed.connect(lambda: self.told.append("confirmed"))
        self.confirmation.given_back.connect(lambda: self.told.append("given back"))

    def store(self):
        self.stored += 1
        if self.full:
            raise OSError(28)

    async def live(self, broken=None, seconds=_SECONDS + 1, what=None):
        tell_of_deaths()

        async def works(beat):
            while True:
                beat()
                await self.clock.sleep_ms(100)

        for name in ("control", "charging", "wifi", "connection", "reader 1"):
            self.supervisor.add(name, what if name == broken else works, 1_000)
        self.supervisor.add("start", self.confirmation.run)
        task = asyncio.create_task(self.supervisor.run())
        await self.clock.run_for(seconds * 1000)
        task.cancel()
        await settle()

    def state(self):
        with open(self.root + "/slots.json") as file:
            return json.load(file)


async def _ends(beat):
    pass


async def _fails(beat):
    raise ValueError("no")


def _hangs(clock):
    async def hangs(beat):
        beat()
        await clock.sleep_ms(3_600_000)

    return hangs


_TRIAL = {"active": "a", "trial": "b", "tries": 1, "boots": 7}


def test_a_version_whose_tasks_live_is_confirmed_after_its_time_and_not_before():
    world = World(_TRIAL)
    run(world.live(seconds=_SECONDS - 1))
    assert world.told == [] and world.state() == _TRIAL
    world = World(_TRIAL)
    run(world.live())
    assert world.told == ["confirmed"] and world.state() == {"active": "b", "boots": 1} and world.stored == 1


def test_a_version_with_a_task_that_does_not_work_is_given_back():
    for name, what, why in (
        ("wifi", _ends, "task wifi is not alive"),
        ("charging", _fails, "task charging was restarted"),
        ("control", "hangs", "task control was restarted"),
    ):
        world = World(_TRIAL)
        run(world.live(name, what=_hangs(world.clock) if what == "hangs" else what))
        assert world.told == ["given back"], name
        assert world.state() == {"active": "a", "boots": 7, "why": "None: " + why}
        assert any("not confirmed: " + why == line[3] for line in world.log.lines())


def test_a_reader_that_fails_says_nothing_about_the_version():
    world = World(_TRIAL)
    run(world.live("reader 1", what=_fails))
    assert world.told == ["confirmed"]


def test_a_flash_that_refuses_is_no_confirmation():
    world = World(_TRIAL)
    world.full = True
    run(world.live())
    assert world.told == ["given back"] and world.state()["why"].startswith("None: the flash refuses")


def test_a_confirmed_version_that_does_not_work_is_looked_at_again():
    state = {"active": "b", "tries": 1, "boots": 7, "crashes": 1, "ms": 10}
    world = World(state)
    world.full = True
    run(world.live(seconds=_SECONDS + 10))
    assert world.told == [] and world.state() == state
    world = World(state)
    run(world.live(seconds=_SECONDS + 10))
    assert world.told == ["confirmed"] and world.state() == {"active": "b", "boots": 7}
