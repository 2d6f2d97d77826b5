# `esp32` for the unix port. MIT license.
"""The few parts of the `esp32` module that an S3 board without special hardware can answer."""

HEAP_DATA = 4
HEAP_EXEC = 1


def mcu_temperature():
    return 45


def idf_heap_info(capabilities):
    """Returns one region as (total, free, largest free block, least free ever) in bytes."""
    return [(8_388_608, 6_000_000, 4_194_304, 5_000_000)]
