"""Wear: what a write costs by the rules of LittleFS, block by block."""

from firmware.store.wear import Wear


def cost(count, before=0):
    wear = Wear()
    wear.wrote(count, before)
    return wear.erases, wear.programmed


def test_a_file_of_up_to_128_bytes_lies_in_its_directory():
    assert cost(128) == (0, 64 + 128)
    assert cost(28, before=100) == (0, 64 + 28)
    assert cost(129) == (1, 64 + 129)
    assert cost(29, before=100) == (1, 64 + 129)  # what was inline moves to a block


def test_a_larger_file_has_its_last_block_copied():
    assert cost(4096) == (1, 64 + 4096)
    assert cost(4097) == (2, 64 + 4097)
    assert cost(200, before=4096) == (1, 64 + 200)
    assert cost(4090, before=3 * 4096 + 10) == (2, 64 + 4100)


def test_the_directory_is_copied_when_its_block_is_full():
    wear = Wear()
    for count in range(1, 65):
        wear.wrote(64)
        assert wear.erases == count // 32, count
    assert wear.programmed == 64 * 128
    for _ in range(31):
        wear.wrote(64)
    wear.wrote(63)
    assert wear.erases == 2  # one byte is left
    wear.wrote(0)
    assert wear.erases == 3


def test_two_add_up():
    both = Wear(1, 200) + Wear(30, 4000)
    assert (both.erases, both.programmed) == (31, 4200)
    assert (Wear().erases, Wear().programmed) == (0, 0)
