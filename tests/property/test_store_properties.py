"""Garbage and torn bytes at any offset of any file of the store: never a crash, never a wrong record."""

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from flashlog import FlashLog
from harness import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st
from sortedfile import SortedFile
from sortedfile.sorting import Sorter

from firmware.kernel.log import Log
from firmware.kernel.reading import Reading
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.packing import pack, unpack
from firmware.store.records import CONTEXTS
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.slots import Slots
from firmware.store.statefile import StateFile
from firmware.store.tags import AuthCache, TagList
from firmware.store.tokens import TokenInfo, group_of

# How a file is damaged: where (as a share of its length), what is written there, and whether it ends there.
DAMAGE = st.tuples(st.floats(0, 1), st.binary(max_size=40), st.booleans())


# Files of two slots, whatever is in them.
SMALL = ("outbox", "registered", "station", "profiles", "reserved", "wear")


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """A directory with a store that has everything in it."""
    folder = tmp_path_factory.mktemp("store")
    fill(folder)
    return folder


def fill(folder, transactions=12, tokens=30):
    clock = FakeClock()
    values = Settings(str(folder / "settings"), SETTINGS)
    for i in range(3):
        values.set("MessageTimeout", 40 + i)
    journal = Journal(str(folder / "journal"), clock, Log(clock), values)
    history = History(str(folder / "history"))
    history.repair(journal)
    for i in range(transactions):
        tx = journal.next_tx()
        journal.begin(tx, 1, "TAG%d" % i, i * 100)
        for k in range(min(5, transactions - 1)):
            journal.sample(tx, 1, "periodic", Reading(i * 100 + k, 11_000, (16_000, 16_000, 16_000)), 16_000)
        journal.running.save(1, tx, i * 100 + 4, 1_800_000_000)
        if i < transactions - 1:
            journal.end(tx, 1, None, i * 100 + 50, "local")
        history.repair(Journal(str(folder / "journal"), clock, Log(clock), values))
        journal = Journal(str(folder / "journal"), clock, Log(clock), values)
    for name in SMALL:
        StateFile(str(folder / name)).save([7, 0])
        StateFile(str(folder / name)).save([8, 0])
    tags = TagList(str(folder / "tags"))
    tags.replace(2, [("TAG%d" % i, TokenInfo("accepted", i, group_of("P%d" % i))) for i in range(tokens)])
    more = range(tokens - 3, tokens + 3)
    tags.update(3, [("TAG%d" % i, TokenInfo("accepted", i, group_of("P%d" % i))) for i in more])
    tags.close()
    cache = AuthCache(str(folder / "cache"), clock)
    for i in range(tokens // 2):
        cache.put("TAG%d" % i, TokenInfo("blocked", i, group_of("P%d" % i)))


def look_at_journal(folder):
    clock = FakeClock()
    values = Settings(str(folder / "settings"), SETTINGS)
    assert values.get("MessageTimeout") in (40, 41, 42, 30)
    journal = Journal(str(folder / "journal"), clock, Log(clock), values)
    last = 0
    for record in journal.read():
        assert record.seq > last
        last = record.seq
        if record.token:
            assert record.token == "TAG%d" % (record.wh // 100)
        if record.reading:
            assert record.reading.power_w == 11_000 and record.context == "periodic" and record.offered_ma == 16_000
        if record.reason:
            assert record.reason == "local" and record.wh % 100 == 50
    for begin in journal.open_transactions():
        assert begin.wh % 100 == 0
        assert all(record.tx == begin.tx for record in journal.transaction(begin.tx))
    for connector, (tx, wh, t) in journal.running.load().items():
        assert connector == 1 and wh % 100 == 4 and t == 1_800_000_000 and tx > 0
    assert journal.event("StillAlive") > last
    history = History(str(folder / "history"))
    for _ in range(2):
        for row in history.rows():
            assert row.token == "TAG%d" % (row.begin_wh // 100) and row.end_wh in (None, row.begin_wh + 50)
        history.repair(journal)


def look_at_settings(folder):
    values = Settings(str(folder / "settings"), SETTINGS)
    assert values.get("MessageTimeout") in (40, 41, 42, 30)
    values.set("MessageTimeout", 99)
    assert Settings(str(folder / "settings"), SETTINGS).get("MessageTimeout") == 99


def look_at_small(folder):
    for name in SMALL:
        assert StateFile(str(folder / name)).load() in ([8, 0], [7, 0], None)


def look_at_tokens(folder):
    clock = FakeClock()
    tags = TagList(str(folder / "tags"))
    assert tags.version in (0, 2, 3)
    cache = AuthCache(str(folder / "cache"), clock)
    for i in range(40):
        for known, status in ((tags, "accepted"), (cache, "blocked")):
            entry = known.get("TAG%d" % i)
            assert entry is None or (entry.status, entry.expiry, entry.parent) == (status, i, group_of("P%d" % i))
    cache.put("NEW", TokenInfo("accepted"))
    assert cache.get("NEW").status == "accepted"
    new = [("NEW", TokenInfo("accepted"))]
    try:
        tags.update(4, new)
    except ValueError:
        assert tags.damaged
        tags.replace(4, new)
    assert tags.version == 4 and tags.get("new").status == "accepted"
    tags.close()


def look(folder):
    """Reads everything there is and checks that nothing is in it that was never written."""
    for part in (look_at_journal, look_at_small, look_at_tokens, look_at_settings):
        part(folder)


PARTS = {
    "journal": look_at_journal,
    "history": look_at_journal,
    "settings": look_at_settings,
    "tags": look_at_tokens,
    "cache": look_at_tokens,
}


def part_of(name):
    """Returns the function that looks at a file or directory of the store."""
    return PARTS.get(name.split(".")[0], look_at_small)


def damage(path, where, data, cut):
    content = path.read_bytes()
    at = int(where * len(content))
    content = content[:at] + data + (b"" if cut else content[at + len(data) :])
    path.write_bytes(content)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_to_any_files_never_crashes_and_never_lies(station, data):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(station, temporary + "/store"))
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "reserve")
        for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=4, unique=True)):
            damage(path, *data.draw(DAMAGE))
        look(folder)


def test_a_torn_or_flipped_byte_at_every_offset(tmp_path):
    """Every byte of every file of a small store once: cut off there, and one bit of it changed."""
    chance = random.Random(1)
    store = tmp_path / "store"
    store.mkdir()
    fill(store, 3, 5)
    (store / "journal" / "reserve").unlink()
    damaged = tmp_path / "damaged"
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        name = path.relative_to(store)
        original = path.read_bytes()
        look_at = part_of(name.parts[0])
        kin = [other for other in store.iterdir() if part_of(other.name) is look_at]
        if look_at is look_at_small:
            kin = [other for other in kin if other.stem == path.stem]
        for at in range(len(original)):
            flipped = bytes([original[at] ^ (1 << chance.randrange(8))])
            for content in (original[:at], original[:at] + flipped + original[at + 1 :]):
                damaged.mkdir()
                for other in kin:
                    (shutil.copytree if other.is_dir() else shutil.copyfile)(other, damaged / other.name)
                (damaged / name).write_bytes(content)
                look_at(damaged)
                shutil.rmtree(damaged)


RECORDS = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=200), st.booleans()), max_size=60)


@settings(max_examples=100, deadline=None)
@given(RECORDS, st.integers(60, 3000), DAMAGE)
def test_log_gives_back_what_was_written_and_damage_costs_only_what_it_hits(records, segment_bytes, hit):
    with tempfile.TemporaryDirectory() as folder:
        log = FlashLog(folder + "/log", segment_bytes)
        written = {}
        for kind, payload, durable in records:
            written[log.append(kind, payload, durable)] = (kind, payload)
        log.flush()
        assert {seq: (kind, payload) for seq, kind, payload in log.read()} == written
        assert list(FlashLog(folder + "/log").read()) == list(log.read())
        files = sorted(Path(folder + "/log").iterdir())
        if not files:
            return
        where, data, cut = hit
        victim = files[len(files) // 2]
        size = victim.stat().st_size
        damage(victim, where, data, cut)
        start, end = int(where * size), size if cut else int(where * size) + len(data)
        again = FlashLog(folder + "/log", segment_bytes)
        found = {seq: (kind, payload) for seq, kind, payload in again.read()}
        assert found.items() <= written.items()
        # Only records that overlap the damaged stretch of the victim may be gone.
        base = int(victim.name[:8], 16)
        bases = [int(f.name[:8], 16) for f in files] + [max(written) + 1]
        at = 12
        for seq in sorted(s for s in written if base <= s < bases[bases.index(base) + 1]):
            after = at + 12 + len(written[seq][1])
            if after <= start or at >= end:
                assert seq in found
            at = after
        assert set(found) >= {s for s in written if not base <= s < bases[bases.index(base) + 1]}
        assert again.append(1, b"new") > max(found, default=0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="0123456789ABCDEFabcdef", min_size=1, max_size=8), max_size=400), st.data())
def test_sorted_file_is_a_dictionary(keys, data):
    def record(key, value):
        return key.encode().ljust(8, b"\0") + bytes([value])

    with tempfile.TemporaryDirectory() as folder:
        model = {key: i % 250 for i, key in enumerate(dict.fromkeys(keys))}
        file = SortedFile(folder + "/f", 8, 9, lambda r: r[8] == 255, data.draw(st.integers(0, 20)))
        file.replace((record(key, value) for key, value in model.items()))
        for _ in range(3):
            changes = data.draw(st.dictionaries(st.sampled_from(keys + ["x1", "x2", "x3"]), st.integers(250, 255)))
            file.update(record(key, value) for key, value in changes.items())
            model.update(changes)
            model = {key: value for key, value in model.items() if value != 255}
        assert file.count == len(model)
        for key in set(keys) | {"x1", "x2", "x3", "y"}:
            expected = record(key, model[key]) if key in model else None
            assert file.get(key.encode().ljust(8, b"\0")) == expected
        assert sorted(file.records()) == sorted(record(k, v) for k, v in model.items())
        file.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=4, max_size=4), max_size=600))
def test_sorter_sorts(records):
    with tempfile.TemporaryDirectory() as folder:
        sorter = Sorter(folder + "/runs", 4)
        assert sum(1 for _ in sorter.take(records)) >= len(records)
        assert list(sorter.ordered()) == sorted(records)
        sorter.close()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=20),
    max_leaves=30,
)


@given(st.lists(VALUES, max_size=20))
def test_packed_lists_come_back(values):
    try:
        data = pack(values)
    except ValueError:
        return  # nested or long beyond what a record may be
    try:
        assert unpack(data) == values
    except ValueError:
        assert depth(values) > 4


def depth(value):
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(st.binary(max_size=80))
def test_unpacking_garbage_gives_a_list_or_an_error(data):
    try:
        assert isinstance(unpack(data), list)
    except ValueError:
        pass


@given(st.text(max_size=300), st.text(max_size=300), DAMAGE)
def test_slots_give_the_newest_or_the_one_before(first, second, hit):
    with tempfile.TemporaryDirectory() as folder:
        slots = Slots(folder + "/s")
        slots.save(first)
        slots.save(second)
        assert Slots(folder + "/s").load() == second
        damage(Path(folder + "/s.a"), *hit)  # the second save
        assert Slots(folder + "/s").load() in (first, second)


@given(st.sampled_from([row.name for row in SETTINGS]), st.text(max_size=60))
def test_any_text_is_a_value_or_is_refused_with_nothing_changed(name, text):
    with tempfile.TemporaryDirectory() as folder:
        values = Settings(folder + "/settings", SETTINGS)
        before = values.get(name)
        try:
            values.set_text(name, text, who="system")
        except ValueError:
            assert values.get(name) == before
        else:
            stored = Settings(folder + "/settings", SETTINGS)
            assert stored.get(name) == values.get(name)
            assert not stored.recovered


def test_contexts_are_those_of_the_field():
    assert set(CONTEXTS) >= {"begin", "end", "periodic", "clock", "trigger", "interruption.begin", "interruption.end"}
