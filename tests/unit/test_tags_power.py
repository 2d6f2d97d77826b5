# interpreters: micropython
"""Tag list, cache and history on LittleFS: power cuts at every program and erase, and reads of a look-up."""

from flash import format_flash, mounted, sweep
from harness import FakeClock
from test_history import Charge

from firmware.store.history import History
from firmware.store.tags import AuthCache, TagList
from firmware.store.tokens import TokenInfo

OLD = ["OLD%04d" % i for i in range(200)]
NEW = ["NEW%04d" % i for i in range(300)]


def prepare(path):
    TagList(path + "/tags").replace(1, [(token, TokenInfo("accepted")) for token in OLD])


def test_list_updates_are_all_or_nothing_at_every_power_cut():
    def act(path, promise):
        tags = TagList(path + "/tags")
        tags.replace(2, [(token, TokenInfo("blocked")) for token in NEW])
        promise(2)
        tags.update(3, [(token, None) for token in NEW[:150]] + [("Z", TokenInfo("accepted"))])
        promise(3)

    def check(path, promises):
        tags = TagList(path + "/tags")
        assert not tags.damaged
        assert tags.version >= (promises[-1] if promises else 1)
        expected = {1: OLD, 2: NEW, 3: NEW[150:] + ["Z"]}[tags.version]
        assert len(tags) == len(expected)
        for token in expected[::9]:
            assert tags.get(token) is not None
        assert tags.version == 1 or tags.get(OLD[0]) is None
        tags.close()

    assert sweep(prepare, act, check) > 100


def test_cache_and_history_survive_every_power_cut():
    def act(path, promise):
        cache = AuthCache(path + "/cache", FakeClock(), most=6)
        history = History(path + "/history")
        for i in range(10):
            cache.put("T%d" % i, TokenInfo("accepted"))
            charge = Charge(i + 1)
            history.began(charge)
            promise(i + 1)
            history.ended(charge.end())
            promise("T%d" % i)
            promise(-i - 1)

    def check(path, promises):
        cache = AuthCache(path + "/cache", FakeClock(), most=6)
        tokens = [p for p in promises if isinstance(p, str)]
        for token in tokens[-5:]:
            assert cache.get(token).status == "accepted"
        assert len(cache) <= 6
        rows = list(History(path + "/history").rows())
        began = [p for p in promises if not isinstance(p, str) and p > 0]
        ended = [-p for p in promises if not isinstance(p, str) and p < 0]
        numbers = [row.number for row in rows]
        assert set(began) <= set(numbers) and sorted(set(numbers)) == list(range(1, max(numbers + [0]) + 1))
        whole = [row.number for row in rows if row.end_wh == 8000]
        assert whole[: len(ended)] == ended and len(rows) - len(whole) <= 1

    assert sweep(prepare, act, check) > 50


def test_a_look_up_among_ten_thousand_takes_at_most_20_block_reads():
    flash = format_flash(512)
    with mounted(flash) as path:
        for name in ("journal", "settings.a", "settings.b", "cursor.a", "cursor.b", "cache", "running.a", "running.b"):
            with open(path + "/" + name, "wb") as f:
                f.write(b"x" * 100)
        tags = TagList(path + "/tags")
        tags.replace(1, (("TAG%06d" % i, TokenInfo("accepted")) for i in range(10_000)))
        reads = []
        for i in range(0, 20_000, 97):  # listed and unlisted ones
            flash.clear_counters()
            assert bool(tags.get("TAG%06d" % i)) == (i < 10_000)
            reads.append(flash.reads)
        flash.clear_counters()
        tags.update(2, [("TAG%06d" % i, None) for i in range(0, 7000, 10)])
        tags.close()
        average = sum(reads) / len(reads)
        print("look-up: %.1f reads, worst %d" % (average, max(reads)))
        print("update of 700: %d erases, %d bytes" % (flash.erases, flash.programmed))
        assert max(reads) <= 20
        assert flash.erases <= 25
        tags = TagList(path + "/tags")
        most = 0
        for i in range(0, 20_000, 97):  # with changes beside the list, too
            flash.clear_counters()
            assert bool(tags.get("TAG%06d" % i)) == (i < 10_000 and (i >= 7000 or i % 10 != 0))
            most = max(most, flash.reads)
        print("with changes: worst %d" % most)
        assert most <= 20
        tags.close()
