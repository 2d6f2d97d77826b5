# `esp32` for the unix port. MIT license.
"""The few parts of the `esp32` module that an S3 board without special hardware can answer."""

HEAP_DATA = 4
HEAP_EXEC = 1


def mcu_temperature():
    return 45


_internal = (327_680, 120_000, 110_000, 90_000)
_psram = (8_388_608, 6_000_000, 4_194_304, 5_000_000)
_regions = [_internal, _psram]


def remove_psram():
    """The board has none from now on."""
    _regions.remove(_psram)


def idf_heap_info(capabilities):
    """Returns each region as (total, free, largest free block, least free ever) in bytes."""
    return list(_regions)
