# `time` of an ESP32 for the unix port. MIT license.
"""Module `time` of the simulated board, as on an ESP32: epoch 2000, whole seconds, ticks that wrap at
2**30. All of it follows the board's clock, whose rate, drift and setting can be changed while the firmware runs."""

import utime

from tools.sim.world.clock import EPOCH_2000, TICKS_MASK, TICKS_PERIOD, BoardClock

board_clock = BoardClock(utime.ticks_us, lambda: int(utime.time()))

_HALF = TICKS_PERIOD // 2
_CALL_US = 3  # what a turn of a Python loop that looks at the clock takes on the board


def ticks_ms():
    return board_clock.ms() & TICKS_MASK


def ticks_us():
    return board_clock.spend(_CALL_US) & TICKS_MASK


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    return (ticks + delta) & TICKS_MASK


def ticks_diff(end, start):
    return ((end - start + _HALF) & TICKS_MASK) - _HALF


def time():
    return board_clock.unix() - EPOCH_2000


def time_ns():
    return time() * 1_000_000_000


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else seconds) + EPOCH_2000)[:8]


localtime = gmtime


def mktime(fields):
    # Days of a month may overflow, as on the board; the unix port's mktime() reads local time, so it is not used.
    year, month, day, hour, minute, second = fields[:6]
    years, month = divmod(month - 1, 12)
    year += years - (month < 2)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month + 10) % 12) + 2) // 5 + day - 730426
    return days * 86400 + hour * 3600 + minute * 60 + second


def sleep_us(us):
    utime.sleep_us(board_clock.to_real_us(us))


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1_000_000))
