"""A station with a link to a scripted back-end: real charging, real journal, no socket."""

import asyncio

from charging_bench import Bench as ChargingBench
from ocpp_bench import Peer

from firmware.kernel.signal import Signal
from firmware.ocpp.errors import CallError, LinkDown
from firmware.ocpp.protocol import LongAnswer
from firmware.ocpp.v16.version import build
from firmware.store.tags import TagList


class ScriptedConnection:
    """A connection that is up when the test says so."""

    def __init__(self, peer):
        self.peer = peer
        self.connected = False
        self.url = "ws://127.0.0.1/cp"
        self.link_changed = Signal()
        self.doubted = Signal()
        self.reconnects = 0
        self.silent = None

    def serve(self, handle, silent):
        self.silent = silent

    async def call(self, action, payload, transmissions=None, patience_s=None):
        if not self.connected:
            raise LinkDown()
        return await self.peer.call(action, payload, transmissions, patience_s)

    def set(self, up):
        self.connected = up
        self.peer.up = up
        self.link_changed.emit("up" if up else "down", self.url, None)

    def reconnect(self):
        self.reconnects += 1

    async def run(self, beat):
        await asyncio.Event().wait()


class LinkBench:
    """`await run(ms)` lets everything run; `peer.calls` is what the back-end got."""

    def __init__(self, maintenance=None, **arguments):
        self.peer = Peer()
        self.maintenance = maintenance
        arguments.setdefault("CentralSystemUrl", "ws://127.0.0.1")
        self._start(ChargingBench(**arguments))

    def _start(self, charging):
        self.charging = charging
        self.clock = self.peer.clock = charging.clock
        self.settings = charging.settings
        self.station = charging.station
        self.connection = ScriptedConnection(self.peer)
        self.link = build(
            self.connection,
            charging.folder,
            {
                "station": self.station,
                "settings": self.settings,
                "clock": self.clock,
                "log": charging.log,
                "journal": charging.journal,
                "tags": TagList(charging.folder + "/tags"),
                "maintenance": self.maintenance,
            },
        )
        self.verdicts = []
        self.link.registered.connect(lambda status, interval: self.verdicts.append((status, interval)))
        self._tasks = []

    def power_cut(self):
        for task in self._tasks:
            task.cancel()
        self._start(self.charging.power_cut())

    async def run(self, ms=1_000):
        if not self._tasks:
            self._tasks = [asyncio.create_task(run(lambda: None)) for _, run, _ in self.link.tasks()]
        await self.charging.run(ms)

    async def accepted(self):
        """Powered on, connected and accepted; what was sent until then is forgotten."""
        await self.run(100)
        self.connection.set(True)
        await self.run(1_000)
        assert self.link.registration == "Accepted"
        self.peer.calls = []
        return self

    async def ask(self, action, **payload):
        """A call from the back-end; returns the answer once what follows it has happened, or a CallError's code.

        None stands for silence.
        """
        if self.connection.silent():
            return None
        try:
            answer = self.link.handle(action, payload)
            if hasattr(answer, "send"):  # a coroutine
                answer = await answer
        except CallError as exc:
            return exc.code
        if isinstance(answer, tuple):
            answer, after = answer
            after()
        elif isinstance(answer, LongAnswer):
            answer.payload[answer.name].extend(answer.items())
            answer = answer.payload
        await self.run(200)
        return answer

    async def status_of(self, action, **payload):
        answer = await self.ask(action, **payload)
        return answer["status"] if isinstance(answer, dict) else answer
