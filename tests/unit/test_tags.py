"""Local authorisation list and cache: OCPP 1.6 §3.5.1, §3.5.2, §5.15."""

import binascii
import os
import struct

from folder import fresh_folder
from harness import FakeClock, raises

import firmware.store.tags as tags_module
from firmware.store.tags import AuthCache, TagList
from firmware.store.tokens import TokenInfo, decode, encode, group_of, is_removal, key_of


def new_list(**kwargs):
    return TagList(fresh_folder() + "/tags", **kwargs)


def told(entry):
    return entry and (entry.status, entry.expiry, entry.parent)


def test_list_survives_and_is_found_in_any_case():
    path = fresh_folder() + "/tags"
    entries = [
        ("04A1B2C3", TokenInfo("accepted", 2_000_000_000, group_of("Fleet"))),
        ("0123456789abcdefghijklmnopqrstuvwxyz", TokenInfo("blocked")),
        ("x", TokenInfo("expired", 0)),
    ]
    TagList(path).replace(7, entries)
    tags = TagList(path)
    assert tags.version == 7 and len(tags) == 3
    assert told(tags.get("04a1b2c3")) == ("accepted", 2_000_000_000, group_of("FLEET"))
    assert told(tags.get("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")) == ("blocked", None, None)
    assert told(tags.get("X")) == ("expired", 0, None)
    assert tags.get("unknown") is None and tags.get("") is None and tags.get("x" * 37) is None
    assert tags.get("\u00e4") is None


def test_what_a_power_cut_left_of_the_first_list_is_removed_at_start():
    folder = fresh_folder()
    for name in ("tags.new", "tags.runs", "tags.changes.new"):
        with open(folder + "/" + name, "wb") as file:
            file.write(b"half")
    tags = TagList(folder + "/tags")
    assert os.listdir(folder) == [] and len(tags) == 0 and not tags.damaged and tags.get("a") is None
    assert list(tags.entries()) == []


def test_differential_update():
    tags = new_list()
    tags.replace(1, [("b%d" % i, TokenInfo("accepted")) for i in range(5)])
    changes = [
        ("B1", TokenInfo("blocked")),
        ("b3", None),
        ("nosuch", None),
        ("a", TokenInfo("invalid")),
        ("c", TokenInfo("expired")),
    ]
    tags.update(2, changes)
    assert tags.version == 2 and len(tags) == 6
    statuses = [told(tags.get(t)) and told(tags.get(t))[0] for t in ("a", "b0", "b1", "b2", "b3", "b4", "c", "nosuch")]
    assert statuses == ["invalid", "accepted", "blocked", "accepted", None, "accepted", "expired", None]


def test_version_of_an_empty_list_is_0():
    # trap 29
    tags = new_list()
    assert tags.version == 0 and len(tags) == 0
    tags.replace(5, [])
    assert tags.version == 0
    tags.update(6, [("a", TokenInfo("accepted"))])
    assert tags.version == 6
    tags.clear()
    assert tags.version == 0 and tags.get("a") is None


def test_a_bad_update_changes_nothing():
    tags = new_list(most=3)
    tags.replace(1, [("a", TokenInfo("accepted")), ("b", TokenInfo("accepted"))])
    for bad in (
        [("c", TokenInfo("accepted")), ("C", TokenInfo("blocked"))],
        [("x" * 37, TokenInfo("accepted"))],
        [("", TokenInfo("accepted"))],
        [("c", TokenInfo("Fine"))],
        [("c", TokenInfo("accepted")), ("d", TokenInfo("accepted"))],  # one too many
        [("c", TokenInfo("accepted", None, "p" * 16))],
    ):
        with raises(ValueError):
            tags.update(2, bad)
        assert tags.version == 1 and len(tags) == 2 and tags.get("c") is None
    with raises(ValueError):
        tags.replace(2, [("t%d" % i, TokenInfo("accepted")) for i in range(4)])
    assert tags.version == 1


def test_ten_thousand_tags_in_any_order():
    tags = new_list()
    numbers = [(i * 7919) % 10_007 for i in range(10_000)]
    tags.replace(1, (("TAG%06d" % n, TokenInfo("accepted", n)) for n in numbers))
    assert len(tags) == 10_000
    for n in numbers[::500]:
        assert told(tags.get("tag%06d" % n)) == ("accepted", n, None)
    tags.update(2, [("TAG%06d" % n, None) for n in numbers[:700]])
    assert len(tags) == 9_300 and tags.get("TAG%06d" % numbers[0]) is None


def cache_of(most=5, path=None):
    clock = FakeClock()
    return AuthCache(path or fresh_folder() + "/cache", clock, most), clock


def test_cache_survives_and_takes_the_latest_verdict():
    path = fresh_folder() + "/cache"
    cache, clock = cache_of(path=path)
    cache.put("A", TokenInfo("accepted", clock.now() + 100, group_of("P")))
    cache.put("b", TokenInfo("blocked"))
    cache.put("a", TokenInfo("invalid"))
    cache = AuthCache(path, clock)
    assert told(cache.get("A")) == ("invalid", None, None) and told(cache.get("B")) == ("blocked", None, None)
    assert len(cache) == 2 and cache.get("c") is None
    cache.clear()
    assert len(cache) == 0 and cache.get("A") is None


def test_an_unchanged_verdict_is_not_written_again():
    path = fresh_folder() + "/cache"
    cache, _ = cache_of(path=path)
    cache.put("A", TokenInfo("accepted"))
    os.rename(path, path + ".old")
    with open(path + ".old", "rb") as f, open(path, "wb") as copy:
        copy.write(f.read())
    before = os.stat(path)[1]  # inode
    cache.put("A", TokenInfo("accepted"))
    assert os.stat(path)[1] == before


def test_full_cache_drops_what_is_not_valid_then_the_oldest():
    # trap 28
    cache, clock = cache_of(most=5)
    for token, status in (("v1", "accepted"), ("i1", "invalid"), ("v2", "accepted"), ("b1", "blocked")):
        cache.put(token, TokenInfo(status))
    cache.put("x1", TokenInfo("accepted", clock.now() + 10))
    clock.advance(20_000)  # x1 expires
    cache.put("v3", TokenInfo("accepted"))
    assert [t for t in ("v1", "v2", "v3", "i1", "b1", "x1") if cache.get(t)] == ["v1", "v2", "v3"]
    for token in ("v4", "v5", "v6"):
        cache.put(token, TokenInfo("accepted"))
    assert [t for t in ("v1", "v2", "v3", "v4", "v5", "v6") if cache.get(t)] == ["v2", "v3", "v4", "v5", "v6"]
    cache.put("v2", TokenInfo("accepted", None, group_of("P")))  # known: nothing has to go, and it is the newest now
    cache.put("v7", TokenInfo("accepted"))
    assert cache.get("v3") is None and cache.get("v2") and len(cache) == 5


def test_cache_ignores_what_is_no_token_and_what_is_damaged():
    path = fresh_folder() + "/cache"
    cache, clock = cache_of(path=path)
    cache.put("x" * 37, TokenInfo("accepted"))
    cache.put("\u00e4", TokenInfo("accepted"))
    assert len(cache) == 0
    for token in ("a", "b", "c"):
        cache.put(token, TokenInfo("accepted"))
    with open(path, "rb") as f:
        data = bytearray(f.read())
    data[60] ^= 1
    with open(path, "wb") as f:
        f.write(data[:-3])
    assert [t for t in ("a", "b", "c") if cache.get(t)] == ["a"]


def test_a_token_is_up_to_36_printable_ascii_characters():
    for token in ("x", "x" * 36, " ~"):
        assert len(key_of(token)) == 16
    for wrong in ("", "x" * 37, "\x1f", "a\x7f", "\u00e4"):
        for bad in (lambda text=wrong: key_of(text), lambda text=wrong: encode(text, None)):
            with raises(ValueError):
                bad()
    assert key_of("Ab~") == key_of("aB~") != key_of("ab")
    # FIPS 180-2: SHA-256 of "abc"
    assert key_of("ABC") == b'\xbax\x16\xbf\x8f\x01\xcf\xeaAA@\xde]\xae"#'
    assert group_of("abc") == "ba7816bf8f01cfea414140de5dae2223"


def test_a_record_has_38_bytes_and_comes_back():
    key = group_of("AB")  # in hex, as a group
    for status in ("accepted", "blocked", "expired", "invalid", "concurrent"):
        for expiry in (None, 0, 1, (1 << 32) - 1):
            for parent in (None, group_of("P")):
                record = encode("AB", TokenInfo(status, expiry, parent))
                assert (
                    len(record) == 38 and not is_removal(record) and encode(key_of("AB"), decode(record)[1]) == record
                )
                token, entry = decode(record)
                assert (token, told(entry)) == (key, (status, expiry, parent))
    record = encode("AB", TokenInfo("blocked", 258, group_of("P")))
    assert record == key_of("ab") + b"\x01" + key_of("p") + b"\x01\x02\x01\x00\x00"
    removal = encode("AB", None)
    assert is_removal(removal) and decode(removal) == (key, None)
    assert removal == key_of("ab") + b"\xff" + bytes(21)
    for bad in (TokenInfo("Fine"), TokenInfo("accepted", None, "P"), TokenInfo("accepted", None, "50" * 15)):
        with raises(ValueError):
            encode("AB", bad)
    with raises(ValueError):
        encode(b"AB", TokenInfo("accepted"))
    with raises(ValueError):
        decode(record[:16] + b"\x05" + record[17:])


def test_an_expiry_that_four_bytes_do_not_hold_is_none_or_has_passed():
    for expiry, kept in ((1 << 32, None), (1 << 40, None), (-1, 0), (-(1 << 40), 0)):
        assert decode(encode("A", TokenInfo("accepted", expiry)))[1].expiry == kept


def test_an_expired_entry_is_not_valid_from_its_second_on():
    # §3.5.1: a full cache drops it before a valid one
    cache, clock = cache_of(most=2)
    cache.put("oldest", TokenInfo("accepted"))
    cache.put("expired", TokenInfo("accepted", clock.now()))
    cache.put("newest", TokenInfo("accepted"))
    assert cache.get("oldest") and not cache.get("expired") and cache.get("newest")


def test_a_cache_that_is_not_full_keeps_what_is_not_valid():
    cache, _ = cache_of(most=3)
    for token, status in (("a", "blocked"), ("b", "accepted"), ("c", "accepted")):
        cache.put(token, TokenInfo(status))
    assert cache.get("a")
    cache.put("b", TokenInfo("accepted", None, group_of("P")))  # a known one needs no room
    assert [told(cache.get(token))[0] for token in ("a", "b", "c")] == ["blocked", "accepted", "accepted"]
    cache.put("d", TokenInfo("accepted"))
    assert [bool(cache.get(token)) for token in ("a", "b", "c", "d")] == [False, True, True, True]


def test_what_the_cache_costs_the_flash_is_counted():
    cache, _ = cache_of()
    cache.put("a", TokenInfo("accepted"))
    cache.put("a", TokenInfo("accepted"))
    assert cache.wear.programmed == 64 + 42
    cache.put("b", TokenInfo("accepted"))
    assert cache.wear.programmed == 2 * 64 + 3 * 42


def test_a_flash_that_refuses_costs_the_entry_and_leaves_no_half_file():
    path = fresh_folder() + "/cache"
    cache, _ = cache_of(path=path)
    cache.put("a", TokenInfo("accepted"))
    os.mkdir(path + ".new")  # cannot be opened for writing
    cache.put("b", TokenInfo("accepted"))
    assert cache.get("a") and not cache.get("b")
    os.rmdir(path + ".new")

    class Refusing:
        """The os module on a flash that has no room for the new name."""

        remove = os.remove

        @staticmethod
        def rename(old, new):
            raise OSError(28)

    tags_module.os = Refusing
    try:
        cache.put("b", TokenInfo("accepted"))
    finally:
        tags_module.os = os
    folder, _, name = path.rpartition("/")
    assert os.listdir(folder) == [name] and cache.get("a") and not cache.get("b")


def test_a_cache_record_of_a_later_version_is_passed_over():
    path = fresh_folder() + "/cache"
    cache, _ = cache_of(path=path)
    cache.put("a", TokenInfo("accepted"))
    with open(path, "rb") as f:
        data = f.read()
    later = data[:16] + b"\x05" + data[17:38]
    with open(path, "wb") as f:
        f.write(data[:38] + b"????" + later + struct.pack("<I", binascii.crc32(later)) + data)
    assert len(cache) == 1 and told(cache.get("a")) == ("accepted", None, None)


def test_room_for_a_list_counts_what_is_sorted_beside_it():
    tags = new_list()
    assert tags.room_for(100) == 200 * 46
    assert tags.room_for(100, ordered=True) == 100 * 46
    assert tags.room_for(100, kept=10) == 210 * 46


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_a_cache_that_has_become_smaller_drops_as_many_of_the_oldest():
    path = fresh_folder() + "/cache"
    cache, clock = cache_of(most=6, path=path)
    for token in "abcdef":
        cache.put(token, TokenInfo("accepted"))
    cache = AuthCache(path, clock, 2)
    cache.put("g", TokenInfo("accepted"))
    assert [token for token in "abcdefg" if cache.get(token)] == ["f", "g"]


def test_only_files_of_the_list_open_one():
    folder = fresh_folder()
    with open(folder + "/settings.a", "wb") as f:
        f.write(b"x")
    opened = open_files()
    tags = TagList(folder + "/tags")
    assert not tags.damaged and tags.get("a") is None and open_files() == opened
    tags.close()
    tags.replace(1, [("a", TokenInfo("accepted"))])
    assert not tags.damaged and tags.get("a")
    opened = open_files()
    tags.close()
    assert open_files() == opened - 1
    with open(folder + "/tags", "r+b") as f:
        f.seek(20)
        f.write(b"?")
    tags = TagList(folder + "/tags")
    assert not tags.get("a") and tags.damaged


def test_a_list_that_waits_under_another_name_is_removed_and_nothing_else():
    folder = fresh_folder()
    tags = TagList(folder + "/tags")
    for name in ("one", "two"):
        TagList(tags.staging_path(name)).replace(1, [(name, TokenInfo("accepted"))])
    with open(folder + "/settings.a", "wb") as f:
        f.write(b"x")
    tags.settle("two")
    assert tags.get("two") and not tags.get("one")
    assert sorted(os.listdir(folder)) == ["settings.a", "tags"]
