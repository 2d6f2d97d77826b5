# A station on a flash in RAM, for measurements. MIT license.
"""Real settings, journal, token list, cache, history, charging and OCPP on a mounted file system, in virtual time.

The EVSE, the meter and the back-end are those of the unit tests: scripted, and without a heap or flash of their own.
"""

import asyncio
import os

from charging_bench import ScriptedEvse, ScriptedMeter
from harness import FakeClock
from link_bench import ScriptedConnection
from ocpp_bench import Peer

from firmware.charging.station import Station, Stores
from firmware.kernel.log import Log
from firmware.ocpp.backend import outbox_state
from firmware.ocpp.cursor import sequence_floor
from firmware.ocpp.v16.version import build
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.tags import AuthCache, TagList

_TICK_MS = 500  # of the scripted EVSE


class Backend(Peer):
    """A central system that persists over the station's power losses, and ignores a dead station."""

    def __init__(self, flash):
        super().__init__()
        self.flash = flash

    async def call(self, action, payload, transmissions=None, patience_s=None):
        if self.flash.off:
            await asyncio.Event().wait()
        if action == "Authorize":
            self.calls.append((action, payload))
            return {"idTagInfo": {"status": "Accepted"}}
        answer = await super().call(action, payload)
        if action == "StopTransaction":
            return {"idTagInfo": {"status": "Accepted"}}
        return answer


class Bench:
    """One power-on; `meter` and `clock` are those of the one before."""

    def __init__(self, path, backend, clock=None, meter=None, **settings):
        self.clock = clock or FakeClock()
        self.backend = backend
        backend.clock = self.clock
        self.log = Log(self.clock)
        self.meter = meter or ScriptedMeter()
        self.evse = ScriptedEvse(self.clock)
        for directory in ("/journal", "/history"):
            _make(path + directory)
        self.settings = Settings(path + "/settings", SETTINGS, log=self.log)
        for name, value in settings.items():
            if self.settings.get(name) != value:
                self.settings.set(name, value, "system")
        floor = sequence_floor(outbox_state(path))
        self.journal = Journal(path + "/journal", self.clock, self.log, self.settings, floor)
        self.history = History(path + "/history")
        self.history.repair(self.journal)
        tags = TagList(path + "/tags")
        stores = Stores(self.journal, tags, AuthCache(path + "/cache", self.clock), self.history, path)
        self.station = Station(self.clock, self.log, self.settings, stores, [self.evse], [self.meter])
        self.connection = ScriptedConnection(backend)
        self.link = build(
            self.connection,
            path,
            {
                "station": self.station,
                "settings": self.settings,
                "clock": self.clock,
                "log": self.log,
                "journal": self.journal,
                "tags": tags,
                "maintenance": None,
            },
        )
        self._tasks = []

    async def run(self, ms):
        if not self._tasks:
            for tasks in (self.station.tasks(), self.link.tasks()):
                self._tasks += [asyncio.create_task(run(_no_beat)) for _, run, _ in tasks]
            self._tasks.append(asyncio.create_task(self._tick()))
        await self.clock.run_for(ms)

    async def accepted(self):
        await self.run(100)
        self.connection.set(True)
        await self.run(1_000)

    async def begin(self, token="04A1B2C3"):
        """Plugs in, presents a card and lets the vehicle charge with 11 kW."""
        self.evse.cable_ma = 32_000
        self.evse.set_state("B")
        await self.station.swipe(token)
        await self.run(1_000)
        self.meter.draws_w = 11_040
        self.evse.set_state("C")

    async def end(self, token="04A1B2C3"):
        """Presents the card again and unplugs."""
        await self.station.swipe(token)
        await self.run(10_000)
        self.meter.draws_w = 0
        self.evse.cable_ma = None
        self.evse.set_state("A")
        await self.run(5_000)

    def stop(self):
        """Stops everything: the power is lost."""
        for task in self._tasks:
            task.cancel()

    async def _tick(self):
        while True:
            self.evse.tick()
            if self.evse.charging:
                self.meter.wh += self.meter.draws_w * _TICK_MS // 3_600_000
            await self.clock.sleep_ms(_TICK_MS)


def _no_beat():
    pass


def _make(path):
    try:
        os.mkdir(path)
    except OSError:
        os.stat(path)
