# interpreters: micropython
"""A new version of the firmware over what an earlier one has stored: the power goes at every program and erase."""

import json

from flash import format_flash, mounted, sweep
from flashlog import FlashLog
from harness import FakeClock
from test_history import Charge

from firmware.kernel.log import Log
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.packing import pack
from firmware.store.records import BEGIN, END, EVENT
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.slots import Slots
from firmware.store.tags import TagList
from firmware.store.tokens import TokenInfo

_OLD = {
    "meterValuesSampleInterval": "30",  # as it was once spelled
    "HeartbeatInterval": "77",
    "ChargePointId": "cp7",
    "OfAnotherVersion": "kept",
    "ClockAlignedDataInterval": "no longer a number",
}


def power_on(path):
    clock = FakeClock()
    factory = {"FirmwareVersion": "2.0"}
    provision = {"ChargePointId": "from the factory"}  # which is for an empty store only
    settings = Settings(path + "/settings", SETTINGS, factory, provision)
    journal = Journal(path + "/journal", clock, Log(clock), settings)
    return settings, journal, History(path + "/history")


def prepare(path):
    """An earlier version was updated in the middle of a transaction; a later one has been here, too."""
    Slots(path + "/settings").save(json.dumps({"version": 0, "values": _OLD}))
    clock = FakeClock()
    journal = Journal(path + "/journal", clock, Log(clock), Settings(path + "/none", SETTINGS))
    history = History(path + "/history")
    for number in (2, 3):
        journal.begin(journal.next_tx(), 1, "TAG", 100 * number)
    FlashLog(path + "/journal").append(9, pack((clock.now(), "what only a later version knows")))
    journal = Journal(path + "/journal", clock, Log(clock), Settings(path + "/none", SETTINGS))
    tx = journal.open_transactions()[0].tx
    history.began(Charge(tx))
    journal.end(tx, 1, None, 900, "local")
    history.ended(Charge(tx).end())
    TagList(path + "/tags").replace(7, [("A", TokenInfo("accepted")), ("B", TokenInfo("blocked"))])


def act(path, promise):
    settings, journal, history = power_on(path)
    promise("boot")
    history.repair(journal)
    for begin in journal.open_transactions():
        journal.end(begin.tx, 1, None, 950, "reboot")
        history.ended(Charge(begin.tx).end())
        promise(END)
    journal.event("FirmwareUpdated", settings.get("FirmwareVersion"))
    promise(EVENT)
    settings.set("MessageTimeout", 31)
    promise("settings")


def check(path, promises):
    settings, journal, history = power_on(path)
    assert not settings.recovered
    assert settings.get("MeterValueSampleInterval") == 30 and settings.get("HeartbeatInterval") == 77
    assert settings.get("ChargePointId") == "cp7" and settings.get("FirmwareVersion") == "2.0"
    assert settings.get("ClockAlignedDataInterval") == 0
    assert settings.get("MessageTimeout") in ((31,) if "settings" in promises else (30, 31))
    stored = json.loads(Slots(path + "/settings").load())["values"]
    assert stored["OfAnotherVersion"] == "kept"
    kinds = [record.kind for record in journal.read()]
    assert kinds.count(BEGIN) == 2 and kinds.count(END) in ((2,) if END in promises else (1, 2))
    assert kinds.count(EVENT) in ((1,) if EVENT in promises else (0, 1))
    assert len(journal.open_transactions()) == 2 - kinds.count(END)
    history.repair(journal)
    assert len(list(history.rows())) == 2
    assert len([row for row in history.rows() if row.end_t is not None]) == kinds.count(END)
    tags = TagList(path + "/tags")
    assert tags.version == 7 and tags.get("b").status == "blocked"
    tags.close()


def test_an_update_of_the_firmware_survives_every_power_cut():
    assert sweep(prepare, act, check) > 15


def test_the_document_is_written_anew_in_todays_form_with_the_next_change():
    with mounted(format_flash()) as path:
        prepare(path)
        power_on(path)[0].set("MessageTimeout", 31)
        document = json.loads(Slots(path + "/settings").load())
        assert document["version"] == 1
        assert document["values"] == {
            "MeterValueSampleInterval": "30",
            "HeartbeatInterval": "77",
            "ChargePointId": "cp7",
            "OfAnotherVersion": "kept",
            "ClockAlignedDataInterval": "no longer a number",
            "MessageTimeout": "31",
        }
