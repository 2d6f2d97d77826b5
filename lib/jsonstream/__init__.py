# Incremental JSON reader with bounded memory. MIT license.
"""JSON reader (RFC 8259) for streams: reads piece by piece what does not fit into RAM.

    with open("large.json", "rb") as f:
        for entry in Reader(f).items("users", 0, "cards"):
            print(entry)

A stream is anything whose read(n) returns at most n bytes, b"" at its end. The reader is strict, which MicroPython's
json is not, and bounds whatever the text could use to fill the RAM or to hold the caller up: nesting, the length of a
token, the size of a value that is built and of the whole text.
"""

from jsonstream.reader import JsonError, Reader, TooLarge

__all__ = ("JsonError", "Reader", "TooLarge")
