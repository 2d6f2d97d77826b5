# interpreters: micropython
"""A whole transaction with its delivery: the power goes at every program and erase, cleanly and torn.

0 lost, 0 corrupt, and 0 doubled but for the message whose acknowledgement was being written down at that moment: to the
station its answer is lost, and OCPP 1.6 §3.7 has it sent again, with the same content.
"""

import asyncio
import json

from flash import cuts, mounted
from harness import FakeClock, run, settle
from test_history import Charge

from firmware.kernel.log import Log
from firmware.kernel.reading import Reading
from firmware.ocpp.cursor import sequence_floor
from firmware.ocpp.errors import LinkDown
from firmware.ocpp.outbox import Outbox
from firmware.ocpp.v16.facts import Facts
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.records import END
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.statefile import StateFile

_SAMPLES = 20
_BATCH = 4


class CentralSystem:
    """Gets messages while the station has power; it knows a repetition by its content, and numbers it the same."""

    def __init__(self):
        self.flash = None
        self.up = True
        self.received = []  # canonical text of each message, repetitions included
        self._transactions = {}

    async def call(self, action, payload, transmissions=None):
        await asyncio.sleep(0)
        if self.flash.off:
            await asyncio.Event().wait()
        if not self.up:
            raise LinkDown()
        text = json.dumps([action, sorted(payload.items())])
        self.received.append(text)
        if action != "StartTransaction":
            return {}
        number = self._transactions.setdefault(text, len(self._transactions) + 1)
        return {"transactionId": number, "idTagInfo": {"status": "Accepted"}}

    def count(self, action):
        return len([text for text in set(self.received) if action in text])

    def registers(self):
        """Returns the values of all meter values in the order of their first arrival."""
        seen = []
        for text in self.received:
            action, payload = json.loads(text)
            if action == "MeterValues" and text not in [t for t, _ in seen]:
                value = dict(payload)["meterValue"][0]["sampledValue"][0]["value"]
                seen.append((text, int(value)))
        return [value for _, value in seen]


class Power:
    """One power-on: journal, history and outbox as the application wires them."""

    def __init__(self, path, central, unix):
        clock = FakeClock(unix)
        log = Log(clock)
        self.settings = Settings(path + "/settings", SETTINGS)
        cursor = StateFile(path + "/outbox")
        self.journal = Journal(path + "/journal", clock, log, self.settings, sequence_floor(cursor))
        self.history = History(path + "/history")
        self.saving = False  # the place of a message that has arrived is being written down
        save = cursor.save
        cursor.save = lambda value: self._save(save, value)
        facts = Facts(self.journal, self.settings)
        self.outbox = Outbox(self.journal, cursor, facts, central.call, clock, log)
        self.clock = clock

    def _save(self, save, value):
        self.saving = True
        save(value)
        self.saving = False

    def start(self):
        task = asyncio.create_task(self.outbox.run(lambda: None))
        self.outbox.resume()
        return task


def prepare(path):
    settings = Settings(path + "/settings", SETTINGS)
    settings.set("JournalBatch", _BATCH, "system")
    settings.set("MeterValuesSampledData", ["Energy.Active.Import.Register"])
    Journal(path + "/journal", FakeClock(), Log(FakeClock()), settings).event("StartupOfTheDevice")


async def transaction(power, central, promises):
    """Charges; the link is away for some of the samples. What returns before the power goes is promised."""
    task = power.start()
    await settle()
    journal = power.journal
    tx = journal.next_tx()
    journal.begin(tx, 1, "TAG", 1000)
    promises["begun"] = True
    charge = Charge(tx)
    power.history.began(charge)
    await settle()
    for i in range(_SAMPLES):
        central.up = not 7 <= i < 12
        power.clock.advance(60_000)
        seq = journal.sample(tx, 1, "periodic", Reading(energy_wh=1001 + i), 16_000)
        if i % 3 == 0:
            journal.running.save(1, tx, 1001 + i, power.clock.now())
        await settle()
        promises["samples"] = i + 1 if journal.is_durable(seq) else promises.get("samples", 0)
    journal.end(tx, 1, "TAG", 2000, "local")
    promises["ended"] = True
    power.history.ended(charge.end())
    await settle(60)
    task.cancel()


async def aftermath(power, central):
    """The next power-on ends what was left open and delivers everything."""
    journal = power.journal
    power.history.repair(journal)
    for begin in journal.open_transactions():
        journal.end(begin.tx, begin.connector, None, journal.running.load().get(1, (0, 1000))[1], "power lost")
        power.history.ended(Charge(begin.tx).end())
    task = power.start()
    while power.outbox.length:
        await settle()
    await settle()
    task.cancel()


def check(central, promises, power, saving, before):
    received = central.received
    doubled = [text for text in set(received) if received.count(text) > 1]
    if doubled:
        assert saving and doubled == [received[before - 1]] and received.count(doubled[0]) == 2
    assert central.count("StartTransaction") == central.count("StopTransaction") <= 1
    registers = central.registers()
    assert registers == sorted(registers) and set(registers) <= set(range(1001, 1001 + _SAMPLES))
    assert len(registers) >= promises.get("samples", 0)
    if promises.get("begun"):
        assert central.count("StartTransaction") == 1
    if promises.get("ended"):
        assert "power lost" not in received[-1] and len(registers) == _SAMPLES
    ends = [record.tx for record in power.journal.read() if record.kind == END]
    assert len(ends) == central.count("StopTransaction")
    assert len(ends) == len(set(ends))
    assert [row.number for row in power.history.rows() if row.end_t is not None] == ends
    return bool(doubled)


def test_a_transaction_with_its_delivery_survives_every_power_cut():
    count = repeated = 0
    for flash in cuts(prepare):
        central = CentralSystem()
        central.flash = flash
        promises = {}
        power = None
        with mounted(flash) as path:
            power = Power(path, central, 1_800_000_000)
            run(transaction(power, central, promises))
        saving = power is not None and power.saving
        before = len(central.received)
        count += flash.off
        central.flash = flash.restarted()
        central.up = True
        with mounted(central.flash) as path:
            power = Power(path, central, 1_800_010_000)
            run(aftermath(power, central))
            repeated += check(central, promises, power, saving, before)
    print("%d cuts, %d of them repeated the message whose acknowledgement was being written down" % (count, repeated))
    assert count > 100
