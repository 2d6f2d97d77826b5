"""StateFile: a tiny value is the old or the new one, never a torn one."""

import binascii

from folder import fresh_folder
from harness import FakeClock, raises

from firmware.kernel.log import ERROR, Log
from firmware.store.slots import Slots
from firmware.store.statefile import MAX_BYTES, StateFile
from firmware.store.wear import Wear


def test_value_comes_back():
    path = fresh_folder() + "/cursor"
    assert StateFile(path).load() is None
    state = StateFile(path)
    for value in ([1, 2, 3], {"seq": 17}, "text", 0):
        state.save(value)
        assert StateFile(path).load() == value


def test_too_long_a_value_is_refused_and_the_old_one_stays():
    path = fresh_folder() + "/cursor"
    state = StateFile(path)
    state.save("x" * 100)
    with raises(ValueError):
        state.save("x" * MAX_BYTES)
    assert StateFile(path).load() == "x" * 100


def test_torn_newest_gives_the_one_before():
    path = fresh_folder() + "/cursor"
    state = StateFile(path)
    state.save(1)  # slot b
    state.save(2)  # slot a
    with open(path + ".a", "rb") as f:
        data = f.read()
    for cut in range(len(data)):
        with open(path + ".a", "wb") as f:
            f.write(data[:cut])
        state = StateFile(path)
        assert state.load() == 1
    state.save(3)
    assert StateFile(path).load() == 3


def test_first_save_without_load_does_not_lose_against_an_old_value():
    path = fresh_folder() + "/cursor"
    state = StateFile(path)
    state.save(1)
    state.save(2)
    StateFile(path).save(3)
    assert StateFile(path).load() == 3


def slot(generation, text):
    body = ("%08x\n%s" % (generation, text)).encode()
    return body + ("\n%08x" % binascii.crc32(body)).encode()


def content(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def test_values_are_written_to_two_slots_in_turn():
    path = fresh_folder() + "/cursor"
    state = StateFile(path)
    state.save(1)
    assert content(path + ".b") == slot(1, "1")
    state.save([2, 3])
    assert content(path + ".a") == slot(2, "[2,3]") and content(path + ".b") == slot(1, "1")
    write(path + ".b", slot(17, '"later"'))
    state = StateFile(path)
    assert state.load() == "later"
    state.save("next")
    assert content(path + ".a") == slot(18, '"next"') and content(path + ".b") == slot(17, '"later"')


def test_a_state_fills_the_128_bytes_that_cost_no_block_and_no_more():
    path = fresh_folder() + "/cursor"
    wear = Wear()
    state = StateFile(path, wear=wear)
    state.save("x" * 108)  # and two quotation marks
    assert len(content(path + ".b")) == 128 and (wear.erases, wear.programmed) == (0, 64 + 128)
    with raises(ValueError):
        state.save("x" * 109)


def test_damage_is_told_and_an_empty_slot_is_none():
    folder = fresh_folder()
    log = Log(FakeClock())
    slots = Slots(folder + "/cursor", log)
    assert not slots.damaged
    write(folder + "/cursor.a", b"")  # the first write of a slot was cut
    slots.save("old")
    assert slots.load() == "old" and not slots.damaged and not list(log.lines(ERROR))
    write(folder + "/cursor.a", slot(2, "new")[:-1] + b"?")
    assert slots.load() == "old" and slots.damaged
    slots.save("new")
    slots.save("newer")
    assert slots.damaged  # what was lost in this start stays lost
    assert slots.load() == "newer" and not slots.damaged
    for suffix in (".a", ".b"):
        write(folder + "/cursor" + suffix, b"\n00000000")  # a CRC of nothing is no document
    assert slots.load() is None and slots.damaged
    assert [line[3] for line in log.lines(ERROR)] == [
        "cursor damaged, last good copy used",
        "cursor damaged, starting empty",
    ]
