# A local authorisation list of ten thousand tokens. MIT license.
"""Prints the block reads of a look-up."""

import json

from flash import format_flash, mounted

from firmware.store.tags import TagList
from firmware.store.tokens import TokenInfo

_BLOCKS = 512
_TAGS = 10_000
_LOOKUPS = 200


def token(number):
    # Spread, as the ids of cards are.
    return "%08X" % (number * 2_654_435_761 % 4_294_967_296)


def entries(count):
    for number in range(count):
        yield token(number), TokenInfo("accepted", None, None)


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
        tags.close()
    print(json.dumps({"reads": mean, "most_reads": most, "lookups": _LOOKUPS}))


main()
