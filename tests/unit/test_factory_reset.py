# interpreters: micropython
"""Factory reset: how it is asked for, and what it leaves on the flash, with the power cut at every write."""

from flash import files, format_flash, mounted, sweep
from harness import FakeClock
from test_history import Charge

from firmware.kernel.log import Log
from firmware.maintenance.factory_reset import FactoryReset
from firmware.maintenance.service_button import ServiceButton
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.records import BEGIN, END
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.statefile import StateFile
from firmware.store.tags import TagList
from firmware.store.tokens import TokenInfo


def power_on(path):
    """What the start does about it; returns the settings and the journal."""
    clock = FakeClock()
    settings = Settings(path + "/settings", SETTINGS)
    if settings.get("FactoryReset"):
        FactoryReset(path, settings, Log(clock)).perform()
    return settings, Journal(path + "/journal", clock, Log(clock), settings)


def prepare(path):
    """A station in use, with a transaction that the back-end does not know."""
    settings, journal = power_on(path)
    settings.set("WifiPassword", "correct horse", "system")
    settings.set("ChargePointId", "cp7", "system")
    tx = journal.next_tx()
    journal.begin(tx, 1, "TAG", 100)
    journal.end(tx, 1, None, 900, "Local")
    history = History(path + "/history")
    history.began(Charge(tx))
    history.ended(Charge(tx).end())
    TagList(path + "/tags").replace(7, [("A", TokenInfo("accepted"))])
    for name in ("outbox", "wear", "starts", "closing1", "station", "registered"):
        StateFile(path + "/" + name).save([1])
    settings.set("FactoryReset", True, "system")


def act(path, promise):
    power_on(path)
    promise("reset")


def check(path, promises):
    if "reset" in promises:
        assert not Settings(path + "/settings", SETTINGS).is_set("ChargePointId")
    settings, journal = power_on(path)
    assert not settings.is_set("ChargePointId") and not settings.get("FactoryReset") and not settings.recovered
    assert [record.kind for record in journal.read() if record.kind in (BEGIN, END)] == [BEGIN, END]
    kept = ["closing1.b", "journal", "outbox.b", "settings.a", "settings.b", "starts.b", "wear.b"]
    assert files(path) == kept, files(path)
    for name in ("/settings.a", "/settings.b"):
        with open(path + name) as file:
            assert "correct horse" not in file.read()


def test_a_factory_reset_survives_every_power_cut_and_keeps_transactions():
    count = sweep(prepare, act, check)
    assert count > 15, count


def test_without_the_wish_nothing_is_forgotten():
    with mounted(format_flash()) as path:
        prepare(path)
        settings = Settings(path + "/settings", SETTINGS)
        settings.set("FactoryReset", False, "system")
        before = files(path)
        settings, _ = power_on(path)
        assert files(path) == before and settings.get("ChargePointId") == "cp7"


def test_how_long_the_button_is_held_says_what_is_wanted():
    clock = FakeClock()
    button = ServiceButton(clock)
    told = []
    button.portal.connect(lambda: told.append("portal"))
    button.factory_reset.connect(lambda: told.append("reset"))
    for held_ms, wanted in ((1_900, []), (2_000, ["portal"]), (9_900, ["portal"]), (10_000, ["reset"]), (61_000, [])):
        button.changed(0, "service", True)
        clock.advance(held_ms)
        assert not told, "when it is let go"
        button.changed(0, "service", False)
        assert told == wanted, held_ms
        told.clear()
    button.changed(1, "stop", True)
    clock.advance(11_000)
    button.changed(1, "stop", False)
    button.changed(0, "service", False)
    assert not told
