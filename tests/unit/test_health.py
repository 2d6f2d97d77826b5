# interpreters: micropython
"""The station's own figures, against a real file system and journal."""

import asyncio

from flash import format_flash, mounted
from harness import FakeClock, settle
from test_journal_power import READING

from firmware.kernel.log import Log
from firmware.kernel.memory import Memory
from firmware.kernel.tasks import Supervisor
from firmware.maintenance.health import Health
from firmware.maintenance.slots import ApplicationSlots, NoSlots
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings


async def test_figures_follow_what_happens():
    with mounted(format_flash(64)) as path:
        clock = FakeClock()
        log = Log(clock)
        settings = Settings(path + "/settings", SETTINGS)
        journal = Journal(path + "/journal", clock, log, settings)

        def new():
            writers = (journal, History(path + "/history"))
            return Health(path, clock, log, Supervisor(clock, log), Memory(clock), writers, "watchdog", NoSlots())

        health = new()
        before = health.snapshot()
        assert before["flash_used"] + before["flash_free"] == 64 * 4096 and before["erases"] <= 11  # the reserve
        tx = journal.next_tx()
        journal.begin(tx, 1, "TAG", 100)
        for _ in range(500):
            journal.sample(tx, 1, "periodic", READING)
        clock.advance(5_000)
        after = health.snapshot()
        assert (after["collections"], after["collection_ms"]) == (0, 0)
        assert after["flash_used"] > before["flash_used"] and after["uptime"] == 5
        assert after["erases"] > 500 // 20 and after["programmed"] > 500 * 40
        assert after["worn_ppm"] == after["erases"] * 1_000_000 // (64 * 100_000) > 0
        task = asyncio.create_task(health.run(lambda: None))
        await clock.run_for(3 * 86_400_000)
        task.cancel()
        await settle()
        assert len([line for line in log.lines() if "started by watchdog" in line[3]]) == 3
        journal = Journal(path + "/journal", clock, log, settings)
        again = new()
        assert again.snapshot()["erases"] >= after["erases"], "kept over a restart"
        assert again.snapshot()["starts"] == {"watchdog": 1}
        assert again.snapshot()["slots"] is None and again.snapshot()["crashes"] == []


async def test_tasks_and_slots_are_part_of_the_figures():
    with mounted(format_flash(64)) as path:
        clock = FakeClock()
        log = Log(clock)
        supervisor = Supervisor(clock, log)

        async def lives(beat):
            beat()
            await clock.sleep_ms(600_000)

        async def dies(beat):
            raise ValueError("no")

        supervisor.add("silent", lives)
        supervisor.add("alive", lives, 600_000)
        supervisor.add("dying", dies)
        with open(path + "/slots.json", "w") as file:
            file.write('{"active": "a", "boots": 3, "why": "2: watchdog"}')
        with open(path + "/crashes.json", "w") as file:
            file.write('{"slot": "b", "why": "watchdog"}\n')
        health = Health(path, clock, log, supervisor, Memory(clock), (), "reset", ApplicationSlots("a", path))
        task = asyncio.create_task(supervisor.run())
        await clock.run_for(300)
        figures = health.snapshot()
        task.cancel()
        await settle()
        assert figures["tasks"]["silent"] == [True, 0, None] and figures["tasks"]["alive"] == [True, 0, 300]
        assert figures["tasks"]["dying"][1] >= 1
        assert figures["slots"]["running"] == "a" and figures["slots"]["confirmed"] and figures["slots"]["boots"] == 3
        assert figures["slots"]["why"] == "2: watchdog" and figures["crashes"][0]["slot"] == "b"
