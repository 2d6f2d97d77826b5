"""A journal with sessions in it, and a back-end that plays a script: what the tests of firmware/ocpp stand on."""

import asyncio

from folder import fresh_folder
from harness import FakeClock

from firmware.kernel.clock import iso8601
from firmware.kernel.log import DEBUG, Log
from firmware.kernel.reading import Reading
from firmware.ocpp.errors import LinkDown
from firmware.ocpp.outbox import Outbox
from firmware.ocpp.v16.facts import Facts
from firmware.store.journal import Journal
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.statefile import StateFile

TOKEN = "04A1B2C3"


def reading(wh):
    return Reading(wh, 3680, (16000,), (230000,), None, 50000)


class Peer:
    """A back-end. `script` holds what comes next for an action: an exception to raise or a payload to answer with.

    Without a script it accepts everything and numbers transactions from 1000. `calls` are (action, payload).
    """

    def __init__(self):
        self.calls = []
        self.script = {}
        self.up = True
        self.clock = None  # whose time it tells
        self._transactions = 1000

    async def call(self, action, payload, transmissions=None, patience_s=None):
        if not self.up:
            raise LinkDown()
        self.calls.append((action, payload))
        await asyncio.sleep(0)
        if self.script.get(action):
            answer = self.script[action].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if action == "StartTransaction":
            self._transactions += 1
            return {"transactionId": self._transactions, "idTagInfo": {"status": "Accepted"}}
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": iso8601(self.clock.now()), "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": iso8601(self.clock.now())}
        return {}

    def actions(self):
        return [action for action, _ in self.calls]

    def payloads(self, action):
        return [payload for name, payload in self.calls if name == action]


class Bench:
    """Clock, settings, journal and outbox on files; restart() is a power cut."""

    def __init__(self):
        self.folder = fresh_folder()
        self.clock = FakeClock()
        self.peer = Peer()
        self.task = None
        self.restart()

    def restart(self):
        """Starts everything anew on the same files; what was not written is lost."""
        if self.task:
            self.task.cancel()
            self.task = None
        self.clock = FakeClock(unix=self.clock.now())
        self.log = Log(self.clock, level=DEBUG)
        self.settings = Settings(self.folder + "/settings", SETTINGS)
        self.journal = Journal(self.folder + "/journal", self.clock, self.log, self.settings)
        self.facts = Facts(self.journal, self.settings)
        self.state = StateFile(self.folder + "/outbox")
        self.outbox = Outbox(self.journal, self.state, self.facts, self.call, self.clock, self.log)

    async def call(self, action, payload, transmissions=None):
        return await self.peer.call(action, payload, transmissions)

    def start(self):
        self.task = asyncio.create_task(self.outbox.run(lambda: None))
        self.outbox.resume()

    def begin(self, connector=1, wh=1000, **known):
        tx = self.journal.next_tx()
        self.journal.begin(tx, connector, TOKEN, wh, **known)
        self.sample(tx, wh, "begin", connector)
        return tx

    def sample(self, tx, wh, context="periodic", connector=1):
        self.clock.advance(60_000)
        self.journal.sample(tx, connector, context, reading(wh), 16000)

    def end(self, tx, wh=2000, reason="local", connector=1, token=TOKEN):
        self.sample(tx, wh, "end", connector)
        self.journal.end(tx, connector, token, wh, reason)
