"""StateFile: a tiny value is the old or the new one, never a torn one."""

from folder import fresh_folder
from harness import raises

from firmware.store.statefile import MAX_BYTES, StateFile


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
