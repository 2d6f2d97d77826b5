"""Real-time clock of the board, in Unix seconds: its own epoch is 2000, and it loses the time without power."""

import time

from machine import RTC

# Seconds from 1970 to the epoch of the port's time module (2000 on the ESP32).
_EPOCH = 946_684_800 if time.gmtime(0)[0] == 2000 else 0


def wall():
    """Returns the time in Unix seconds; after a power-on that is a time long ago."""
    return int(time.time()) + _EPOCH


def set_wall(unix):
    """Sets the clock."""
    year, month, day, hour, minute, second, weekday, _ = time.gmtime(unix - _EPOCH)[:8]
    RTC().datetime((year, month, day, weekday, hour, minute, second, 0))
