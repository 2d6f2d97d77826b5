"""sortedfile: every key is found, order and doubles are checked, damage is noticed."""

import binascii
import os

from folder import fresh_folder
from harness import raises
from sortedfile import SortedFile
from sortedfile.sorting import Sorter

KEY = 8
RECORD = 12


def record(number, value=0):
    return b"%08d" % number + b"%04d" % value


def filled(count):
    file = SortedFile(fresh_folder() + "/sorted", KEY, RECORD)
    file.replace((record(i * 2, i % 1000) for i in range(count)), b"meta")
    return file


def test_every_key_is_found_and_no_other():
    for count in (0, 1, 31, 32, 150, 2500):  # no page, a part of one, a full one, many
        file = filled(count)
        assert file.count == count and file.meta == b"meta"
        for i in range(0, count, max(1, count // 200)):
            assert file.get(record(i * 2)[:KEY]) == record(i * 2, i % 1000)
            assert file.get(record(i * 2 + 1)[:KEY]) is None
        assert file.get(b"00000000"[:KEY]) == (record(0) if count else None)
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
        assert file.count == 3 and file.get(record(4)[:KEY]) == record(4, 2)
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
    changes = [record(4, 999), record(5, 1), record(6, 0), record(7, 0)]
    file.update(changes, lambda r: r[KEY:] == b"0000", b"new", 101)
    assert file.count == 100 and file.meta == b"new"
    assert file.get(record(4)[:KEY]) == record(4, 999) and file.get(record(5)[:KEY]) == record(5, 1)
    assert file.get(record(6)[:KEY]) is None and file.get(record(7)[:KEY]) is None
    assert file.get(record(8)[:KEY]) == record(8, 4)


def test_keys_that_share_their_hash_prefix_are_all_found():
    file = SortedFile(fresh_folder() + "/sorted", KEY, RECORD)
    prefix = None
    same = []
    for i in range(3_000_000):
        found = binascii.crc32(record(i)[:KEY]) >> 16
        prefix = found if prefix is None else prefix
        if found == prefix:
            same.append(i)
            if len(same) == 40:
                break
    file.replace(record(i, 7) for i in same)
    assert file.count == 40  # more than one page
    for i in same:
        assert file.get(record(i)[:KEY]) == record(i, 7)


def test_damage_is_noticed_and_what_is_intact_still_found():
    for at in list(range(100, 5 * 512, 256)) + [5 * 512 + 2]:  # in every page and in the table
        file = filled(150)
        file.close()
        with open(file._path, "rb") as f:
            data = bytearray(f.read())
        data[at] ^= 0x10
        with open(file._path, "wb") as f:
            f.write(data)
        file = SortedFile(file._path, KEY, RECORD)
        found = [i for i in range(150) if file.get(record(i * 2)[:KEY]) == record(i * 2, i % 1000)]
        assert file.damaged and len(found) >= 150 - 31
    with open(file._path, "wb") as f:
        f.write(data[:-1])
    torn = SortedFile(file._path, KEY, RECORD)
    assert torn.damaged and torn.count == 0 and torn.get(b"00000002") is None


def test_sorter_needs_no_ram_for_all_records():
    folder = fresh_folder()
    for count in (0, 5, 128, 129, 1000):
        numbers = [(i * 7919) % 10007 for i in range(count)]
        with Sorter(folder + "/runs", (record(n) for n in numbers), RECORD) as ordered:
            assert list(ordered) == [record(n) for n in sorted(numbers)]
        assert os.listdir(folder) == []
