# interpreters: micropython
"""Journal and settings on LittleFS: power cuts at every program and erase, and what a transaction costs."""

from flash import format_flash, mounted, sweep
from harness import FakeClock
from test_history import Charge

from firmware.kernel.log import Log
from firmware.kernel.reading import Reading
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.records import BEGIN, BOOT, END, EVENT, SAMPLE
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.statefile import StateFile
from firmware.store.wear import Wear

READING = Reading(3_600_000, 11_040, (16_000, 16_000, 15_900), (230_100, 229_800, 231_000), None, 50_010)


def open_journal(path):
    clock = FakeClock()
    cursor = StateFile(path + "/cursor").load() or 0
    settings = Settings(path + "/settings", SETTINGS)
    return Journal(path + "/journal", clock, Log(clock), settings, cursor + 1)


def prepare(path):
    journal = open_journal(path)
    journal.event("StartupOfTheDevice")


def test_a_transaction_survives_every_power_cut():
    def act(path, promise):
        journal = open_journal(path)
        cursor = StateFile(path + "/cursor")
        tx = journal.next_tx()
        journal.begin(tx, 1, "TAG", 100)
        promise((BEGIN, tx))
        for i in range(45):
            seq = journal.sample(tx, 1, "periodic", READING, 16_000)
            if i % 20 == 10:
                cursor.save(seq)  # delivered, durable or not
                promise(("cursor", seq))
            if i % 20 == 15:
                journal.running.save(1, tx, 100 + i, 1_800_000_000 + i)
                promise(("running", 100 + i))
        journal.end(tx, 1, None, 200, "local")
        promise((END, tx))
        promise((SAMPLE, 45))

    def check(path, promises):
        journal = open_journal(path)
        found = list(journal.read())
        numbers = [r.seq for r in found]
        assert numbers == sorted(set(numbers)) and found[0].kind == BOOT
        kinds = [r.kind for r in found]
        promised = {}
        for kind, value in promises:
            promised[kind] = value
        assert kinds.count(BEGIN) <= 1 and kinds.count(END) <= 1
        if BEGIN in promised:
            assert kinds.count(BEGIN) == 1
            open_now = [r.tx for r in journal.open_transactions()]
            assert open_now == ([] if END in kinds else [promised[BEGIN]])
        if END in promised:
            assert kinds.count(END) == 1 and kinds.count(SAMPLE) == 45
        if "cursor" in promised:
            cursor = StateFile(path + "/cursor").load()
            assert cursor >= promised["cursor"]
            assert journal.event("Test") > cursor
        if "running" in promised:
            assert journal.running.load()[1][1] >= promised["running"]

    assert sweep(prepare, act, check) > 100


def test_a_settings_change_survives_every_power_cut():
    def act(path, promise):
        settings = Settings(path + "/settings", SETTINGS)
        for value in range(60, 70):
            settings.set("HeartbeatInterval", value)
            promise(value)
            if value == 65:
                settings.update({"CpoName": "x" * 40, "FreevendIdTag": "y" * 20}, who="installer")

    def check(path, promises):
        settings = Settings(path + "/settings", SETTINGS)
        value = settings.get("HeartbeatInterval")
        assert not settings.recovered
        assert value in ((promises[-1], promises[-1] + 1) if promises else (300, 60))
        assert len(settings.get("CpoName")) == 2 * len(settings.get("FreevendIdTag")) in (0, 40)

    assert sweep(prepare, act, check) > 30


def test_one_hour_transaction_costs_at_most_8_erases_and_24_kb():
    """Begin, 60 samples, end; with what is delivered, the running state and the history row. Design budget."""
    flash = format_flash(256)
    costs = []
    with mounted(flash) as path:
        journal = open_journal(path)
        history = History(path + "/history")
        wear = Wear()
        cursor = StateFile(path + "/cursor", wear=wear)
        reached = [0]
        journal.flushing.connect(lambda: cursor.save([reached[0] + 1, 0, [1, 1234, 123456]]))
        for _ in range(40):
            flash.clear_counters()
            tx = journal.next_tx()
            reached[0] = journal.begin(tx, 1, "TAG", 100)
            charge = Charge(tx)
            history.began(charge)
            cursor.save([reached[0] + 1, 0, [1, 1234, 123456]])
            for minute in range(60):
                reached[0] = journal.sample(tx, 1, "periodic", READING, 16_000)
                if minute % 2:
                    journal.running.save(1, tx, 123_456_789, 1_800_000_000)
            reached[0] = journal.end(tx, 1, None, 200, "local")
            history.ended(charge.end())
            cursor.save([reached[0] + 1, 0])
            journal.release(journal.next_seq)
            costs.append((flash.erases, flash.programmed))
    erases = sum([c[0] for c in costs]) / len(costs)
    programmed = sum([c[1] for c in costs]) / len(costs)
    print("erases %.2f, bytes %d; worst %s" % (erases, programmed, max(costs)))
    assert erases <= 8 and programmed <= 24 * 1024
    # The board does not count them; by what was written it knows them all the same.
    counted = journal.wear + history.wear + wear
    print("by estimate: erases %.2f, bytes %d" % (counted.erases / len(costs), counted.programmed / len(costs)))
    assert abs(counted.erases - sum([c[0] for c in costs])) <= 0.1 * counted.erases
    assert abs(counted.programmed - sum([c[1] for c in costs])) <= 0.1 * counted.programmed


def test_full_flash_costs_middle_samples_and_never_an_end():
    flash = format_flash(64)
    with mounted(flash) as path:
        journal = open_journal(path)
        tx = journal.next_tx()
        journal.begin(tx, 1, "TAG", 100)
        for _ in range(3000):
            journal.sample(tx, 1, "periodic", READING)
        with open(path + "/filler", "wb") as f:  # somebody else takes the rest of the flash
            try:
                while True:
                    f.write(bytes(1024))
            except OSError:
                pass
        for _ in range(1500):
            try:
                journal.sample(tx, 1, "periodic", READING)
            except OSError as exc:
                assert exc.args[0] == 28
        journal.end(tx, 1, "TAG", 200, "local")
        for _ in range(10):
            other = journal.next_tx()
            journal.begin(other, 1, "TAG", 300)
            journal.end(other, 1, "TAG", 400, "local")
        journal = open_journal(path)
        kinds = [r.kind for r in journal.transaction(tx)]
        assert kinds[0] == BEGIN and kinds[-1] == END and len(kinds) > 1000
        kinds = [r.kind for r in journal.read()]
        assert kinds.count(BEGIN) == kinds.count(END) == 11
        assert [r.context for r in journal.read() if r.kind == EVENT].count("MemoryExhaustion") == 1
