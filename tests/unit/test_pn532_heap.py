# interpreters: micropython
"""lib/pn532: a reader in front of which nobody stands must not fill the heap."""

import gc

from pn532 import ACK, PN532

NO_CARD = ACK + b"\x00\x00\xff\x03\xfd\xd5\x4b\x00\xe0\x00"


class Chip:
    at = len(NO_CARD)

    def write(self, data):
        self.at = 0

    def readinto(self, buffer):
        count = min(5, len(NO_CARD) - self.at)
        for i in range(count):
            buffer[i] = NO_CARD[self.at + i]
        self.at += count
        return count


def test_looking_for_a_card_allocates_nothing():
    reader = PN532(Chip())

    def look():
        reader.begin_find()
        while not reader.look():
            pass
        assert reader.target() is None

    look()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(20):
        look()
    used = gc.mem_alloc() - before
    gc.enable()
    assert used == 0, used
