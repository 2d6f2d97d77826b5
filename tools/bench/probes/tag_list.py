# A local authorisation list of ten thousand tokens. MIT license.
"""Prints block reads of a look-up, and time, extra heap and flash use of a full update of 9 000, on the unix port."""

import gc
import json
import time

from flash import format_flash, mounted

from firmware.store.tags import TagEntry, TagList

_BLOCKS = 512
_TAGS = 10_000
_UPDATE = 9_000
_LOOKUPS = 200


def token(number):
    # Spread, as the ids of cards are.
    return "%08X" % (number * 2_654_435_761 % 4_294_967_296)


def entries(count, watch=None):
    for number in range(count):
        if watch and number % 100 == 0:
            watch()
        yield token(number), TagEntry("Accepted", None, None)


class Heap:
    """The most that was in use at any look; garbage is collected first."""

    def __init__(self):
        gc.collect()
        self._begin = self.most = gc.mem_alloc()

    def look(self):
        gc.collect()
        self.most = max(self.most, gc.mem_alloc())

    @property
    def extra(self):
        return self.most - self._begin


def lookups(tags, flash):
    """Returns block reads per look-up: (mean, most); half of the tokens are not in the list."""
    reads = []
    for i in range(_LOOKUPS):
        number = i * (2 * _TAGS // _LOOKUPS)
        flash.clear_counters()
        found = tags.get(token(number))
        if (found is not None) != (number < _TAGS):
            raise RuntimeError("wrong answer for %d" % number)
        reads.append(flash.reads)
    return sum(reads) / len(reads), max(reads)


def main():
    flash = format_flash(_BLOCKS)
    with mounted(flash) as path:
        tags = TagList(path + "/tags", _TAGS)
        tags.replace(1, entries(_TAGS))
        mean, most = lookups(tags, flash)
        flash.clear_counters()
        begun = time.ticks_ms()
        tags.replace(2, entries(_UPDATE))
        ms = time.ticks_diff(time.ticks_ms(), begun)
        erases = flash.erases
        heap = Heap()
        tags.replace(3, entries(_UPDATE, heap.look))
        heap.look()
        tags.close()
    print(
        json.dumps(
            {"reads": mean, "most_reads": most, "update_ms": ms, "update_erases": erases, "update_heap": heap.extra}
        )
    )


main()
