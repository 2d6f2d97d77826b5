"""sortedfile: every key is found, order and doubles are checked, damage is noticed."""

import binascii
import os
import struct

from folder import fresh_folder
from harness import raises
from sortedfile import SortedFile
from sortedfile.sorting import Sorter

KEY = 8
RECORD = 12


def record(number, value=0):
    return b"%08d" % number + b"%04d" % value


def is_removal(stored):
    return stored[KEY:] == b"0000"


def filled(count, **options):
    file = SortedFile(fresh_folder() + "/sorted", KEY, RECORD, is_removal, **options)
    file.replace((record(i * 2, i % 999 + 1) for i in range(count)), b"meta")
    return file


def test_every_key_is_found_and_no_other():
    for count in (0, 1, 31, 32, 150, 2500):  # no page, a part of one, a full one, many
        file = filled(count)
        assert file.count == count and file.meta == b"meta"
        for i in range(0, count, max(1, count // 200)):
            assert file.get(record(i * 2)[:KEY]) == record(i * 2, i % 999 + 1)
            assert file.get(record(i * 2 + 1)[:KEY]) is None
        assert file.get(b"00000000"[:KEY]) == (record(0, 1) if count else None)
        assert file.get(b"zzzzzzzz") is None and file.get(b"        ") is None
        assert sum(1 for _ in file.records()) == count and not file.damaged


def test_content_survives_reopening():
    path = fresh_folder() + "/sorted"
    SortedFile(path, KEY, RECORD).replace([record(1), record(2)], b"v1")
    file = SortedFile(path, KEY, RECORD)
    assert (file.count, file.meta, sorted(file.records())) == (2, b"v1", [record(1), record(2)])
    file.remove()
    assert file.count == 0 and SortedFile(path, KEY, RECORD).count == 0


def test_what_is_refused_leaves_the_old_content():
    file = filled(3)
    for bad in ([record(1), record(2), record(1)], [b"short"]):
        with raises(ValueError):
            file.replace(bad)
        assert file.count == 3 and file.get(record(4)[:KEY]) == record(4, 3)
    with raises(ValueError):
        file.replace([record(1), record(2)], most=1)

    def broken():
        yield record(9)
        raise OSError(5)

    with raises(OSError):
        file.replace(broken())
    assert file.count == 3 and file.meta == b"meta"


def test_update_adds_changes_and_removes():
    file = filled(100)
    for i in range(2):  # the second time the first changes are there already
        changes = [record(4, 999), record(5, 1 + i), record(6, 0), record(7, 0)]
        file.update(changes, b"new", 100)
        assert file.count == 100 and file.meta == b"new"
        assert file.get(record(4)[:KEY]) == record(4, 999) and file.get(record(5)[:KEY]) == record(5, 1 + i)
        assert file.get(record(6)[:KEY]) is None and file.get(record(7)[:KEY]) is None
        assert file.get(record(8)[:KEY]) == record(8, 5)
        assert sum(1 for _ in file.records()) == 100
    file.update([record(6, 1), record(5, 0)])
    assert file.get(record(6)[:KEY]) == record(6, 1) and file.count == 100
    with raises(ValueError):
        file.update([record(7, 1)], most=100)
    assert file.get(record(7)[:KEY]) is None and file.count == 100


def test_many_changes_go_into_the_file_itself():
    file = filled(100, most_changes=10)
    expected = {i * 2: i % 999 + 1 for i in range(100)}
    for i in range(12):
        changes = {7 * i + k: (i + k) % 4 for k in range(4)}
        file.update((record(n, value) for n, value in changes.items()), b"%d" % i)
        expected.update(changes)
        expected = {n: value for n, value in expected.items() if value}
        assert file.count == len(expected) and file.meta == b"%d" % i
        file = SortedFile(fresh_path(file), KEY, RECORD, is_removal, most_changes=10)
        assert sorted(file.records()) == sorted(record(n, value) for n, value in expected.items())
    file.replace([record(1, 1)], b"all")
    file = SortedFile(fresh_path(file), KEY, RECORD, is_removal)
    assert list(file.records()) == [record(1, 1)] and file.meta == b"all"


def fresh_path(file):
    file.close()
    return file.path


def test_changes_of_an_earlier_content_are_forgotten():
    file = filled(5)
    file.update([record(1, 1)])
    path = fresh_path(file)
    with open(path + ".changes", "rb") as f:
        stale = f.read()
    file = SortedFile(path, KEY, RECORD, is_removal)
    file.replace([record(2, 2)], b"later")
    assert "sorted.changes" not in os.listdir(path.rpartition("/")[0])
    for renewed in (True, False):  # with another content, or none at all
        with open(path + ".changes", "wb") as f:
            f.write(stale)
        file = SortedFile(path, KEY, RECORD, is_removal)
        assert list(file.records()) == ([record(2, 2)] if renewed else []) and not file.damaged
        assert "sorted.changes" not in os.listdir(path.rpartition("/")[0])
        file.remove()


def test_a_step_at_a_time_and_the_old_content_meanwhile():
    file = filled(300)
    changed = [record(i, 7) for i in range(400)]
    for name in ("replacing", "updating"):
        work = getattr(file, name)(changed, b"new")
        for _ in range(60):
            next(work)
        with raises(ValueError):  # one after the other
            file.update([])
        assert file.get(record(10)[:KEY]) == record(10, 6) and file.meta == b"meta"
        work.close()
        assert file.get(record(1)[:KEY]) is None and file.count == 300
        assert os.listdir(fresh_path(file).rpartition("/")[0]) == ["sorted"]
        file = SortedFile(fresh_path(file), KEY, RECORD, is_removal)
    steps = 0
    for _ in file.replacing(changed, b"new"):
        steps += 1
    assert steps > 400 and file.count == 400 and file.meta == b"new"


def test_a_damaged_content_is_replaced_but_not_updated():
    file = filled(2000)
    path = fresh_path(file)
    with open(path, "rb") as f:
        data = bytearray(f.read())
    for at in range(100, 2000, 500):
        data[at] ^= 1
    with open(path, "wb") as f:
        f.write(data)
    file = SortedFile(path, KEY, RECORD, is_removal)
    with raises(ValueError):
        file.update([record(i, 1) for i in range(2000)])
    assert file.damaged
    file.replace([record(1, 1)])
    assert not file.damaged and list(file.records()) == [record(1, 1)]


def keys_of_one_prefix():
    """Returns eight keys whose CRC-32 begin with the same three bytes.

    CRC is linear: where two keys share a prefix, so do any two keys that differ by the same bits. Three such pairs are
    found soon, as birthdays are.
    """
    seen = {}
    family = [b"\x00" * KEY]
    i = 0
    while len(family) < 8:
        key = struct.pack("<II", i * 0x9E3779B1 & 0xFFFFFFFF, i)
        prefix = binascii.crc32(key) >> 8
        if prefix in seen:
            difference = xor(key, seen[prefix])
            family += [xor(member, difference) for member in family]
        seen[prefix] = key
        i += 1
    return family


def xor(one, other):
    return bytes([a ^ b for a, b in zip(one, other)])


def test_keys_that_share_their_hash_prefix_are_all_found():
    same = keys_of_one_prefix()
    assert len({binascii.crc32(key) >> 8 for key in same}) == 1
    for size, most in ((12, 50), (240, 5)):  # eight of them fit into a page, or do not
        for count in range(most):  # wherever the border of a page falls
            keys = same + [b"%08d" % (i * 3) for i in range(count)]
            file = SortedFile(fresh_folder() + "/sorted", KEY, size)
            file.replace(key + bytes(size - KEY) for key in keys)
            assert file.count == len(keys)
            for key in keys:
                assert file.get(key) == key + bytes(size - KEY)
            assert file.get(b"nothere!") is None
            file.close()


def test_damage_is_noticed_and_what_is_intact_still_found():
    path = fresh_path(filled(150))
    with open(path, "rb") as f:
        intact = f.read()
    for at in range(100, len(intact) - 64, 128):  # in every page and in the table
        data = bytearray(intact)
        data[at] ^= 0x10
        with open(path, "wb") as f:
            f.write(data)
        file = SortedFile(path, KEY, RECORD)
        found = [i for i in range(150) if file.get(record(i * 2)[:KEY]) == record(i * 2, i % 999 + 1)]
        assert file.damaged and len(found) >= 150 - 41
        file.close()
    with open(path, "wb") as f:
        f.write(data[:-1])
    torn = SortedFile(path, KEY, RECORD)
    assert torn.damaged and torn.count == 0 and torn.get(b"00000002") is None


def test_sorter_needs_no_ram_for_all_records():
    folder = fresh_folder()
    for count in (0, 5, 128, 129, 1000):
        numbers = [(i * 7919) % 10007 for i in range(count)]
        sorter = Sorter(folder + "/runs", RECORD)
        for _ in sorter.take(record(n) for n in numbers):
            pass
        assert sorter.count == count
        assert list(sorter.ordered()) == [record(n) for n in sorted(numbers)]
        sorter.close()
        assert os.listdir(folder) == []


def test_only_bytes_are_taken():
    """S4: MicroPython adds a text to bytes without a word."""
    file = filled(3)
    text = "0000000400é"
    for change in (file.replace, file.update):
        for records in (["00000004" + "0001"], [text], [None], [12], "000000040001"):
            with raises(TypeError):
                change(records)
        with raises(TypeError):
            change([record(4)], "owner")
    assert not file.busy and file.count == 3 and file.meta == b"meta"
    file.update([bytearray(record(4, 7))])
    assert file.get(record(4)[:KEY]) == record(4, 7)
