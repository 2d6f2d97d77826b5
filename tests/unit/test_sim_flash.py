"""The simulated flash chip: what is written is in the file, and the power can go at any byte."""

import os

from harness import raises

from tools.sim.world.flash import BLOCK, Flash

IMAGE = "/tmp/sim_flash_%s.img" % os.urandom(4).hex()
ERASE = 6


class Chip:
    """`with` a blank chip of four blocks; `cuts` counts how often the power went."""

    def __enter__(self):
        self.cuts = 0
        self.operations = []
        Flash.create(IMAGE, 16)
        self.flash = Flash(IMAGE, self._cut, lambda kind, count: self.operations.append((kind, count)))
        return self

    def __exit__(self, *exc_info):
        os.remove(IMAGE)

    def _cut(self):
        self.cuts += 1

    def stored(self, number, length):
        # From the file itself: a killed process could not add anything.
        with open(IMAGE, "rb") as file:
            file.seek(number * BLOCK)
            return file.read(length)


def test_blank_chip():
    with Chip() as chip:
        assert chip.flash.ioctl(4, 0) == 4 and chip.flash.ioctl(5, 0) == BLOCK
        assert chip.stored(3, BLOCK) == b"\xff" * BLOCK


def test_writes_reads_and_erases_are_counted():
    with Chip() as chip:
        chip.flash.writeblocks(1, b"abcd", 32)
        buffer = bytearray(4)
        chip.flash.readblocks(1, buffer, 32)
        assert bytes(buffer) == b"abcd"
        assert chip.flash.ioctl(ERASE, 1) == 0
        assert chip.stored(1, 64) == b"\xff" * 64
        flash = chip.flash
        assert (flash.programs, flash.bytes_programmed, flash.erases, flash.reads) == (1, 4, 1, 1)
        assert chip.operations == [("program", 4), ("erase", BLOCK)]


def test_power_goes_in_the_middle_of_a_write():
    with Chip() as chip:
        chip.flash.cut_after(6)
        chip.flash.writeblocks(0, b"1234")
        with raises(OSError):
            chip.flash.writeblocks(0, b"5678", 4)
        assert chip.cuts == 1
        assert chip.stored(0, 8) == b"123456\xff\xff"
        with raises(OSError):
            chip.flash.writeblocks(0, b"9")
        with raises(OSError):
            chip.flash.readblocks(0, bytearray(1))
        assert chip.cuts == 1


def test_next_write_is_torn_before_its_first_byte():
    with Chip() as chip:
        chip.flash.writeblocks(2, b"old")
        chip.flash.cut_after(0)
        with raises(OSError):
            chip.flash.ioctl(ERASE, 2)
        assert chip.stored(2, 3) == b"old"
