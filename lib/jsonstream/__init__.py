# Incremental JSON reader with bounded memory. MIT license.
"""JSON reader (RFC 8259) for streams: reads piece by piece what does not fit into RAM.

    with open("large.json", "rb") as f:
        for entry in Reader(f).items("users", 0, "cards"):
            print(entry)

A stream is an object whose read(n) returns at most n bytes, b"" at its end. The reader is strict, unlike MicroPython's
json, and limits what a hostile text could use to fill the RAM or block the caller: nesting, length of a token, size of
a value and of the whole text.
"""

from jsonstream.reader import JsonError, Reader, TooLarge

__all__ = ("JsonError", "Reader", "TooLarge")
