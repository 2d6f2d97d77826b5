"""Timing of the pilot's ADC reads in the phase of its PWM, so that no half wave is missed.

N reads in k periods, k and N without a common divisor, one every k/N of a period: their phases divide the period into N
equal places, whatever the phase at which the sample begins. A half wave of W us contains W x N / 1000 of them, fewer if
reads are late.
"""

from micropython import const

PERIOD_US = const(1_000)  # IEC 61851-1 A.3.1
MOST_READS = const(96)

STEADY = const(10_000)  # duty in steps of 0.01 %
_SHORTEST_US = const(40)  # shortest half wave: the negative one at 80 A

_LEAST_READS = const(16)  # also for a steady pilot, to average noise
# Tenths of places in the shortest half wave. With three, a spike in one read has no effect; taken if the sample then
# lasts at most 4 ms. With two and a half, and reads at most half a place late, two reads are certain.
_WANTED = const(31)
_NEEDED = const(25)
_WORTH_PERIODS = const(4)


def shortest_us(duty):
    """Returns the duration of the shorter half wave at a duty in 0.01 %; a whole period for a steady pilot."""
    if not 0 < duty < STEADY:
        return PERIOD_US
    return max(_SHORTEST_US, min(duty, STEADY - duty) // 10)


def plan(half_wave_us, read_us):
    """Returns (reads, periods) that hit every half wave of `half_wave_us`, with reads of `read_us`."""
    wanted = max(_LEAST_READS, _rounded_up(_WANTED * PERIOD_US, 10 * half_wave_us))
    needed = max(_LEAST_READS, _rounded_up(_NEEDED * PERIOD_US, 10 * half_wave_us))
    periods = min(
        _rounded_up(wanted * read_us, PERIOD_US),
        max(_WORTH_PERIODS, _rounded_up(needed * read_us, PERIOD_US)),
    )
    while True:
        reads = min(periods * PERIOD_US // read_us, MOST_READS)
        while _common_divisor(reads, periods) > 1:
            reads -= 1
        if reads >= needed:
            return reads, periods
        periods += 1


def _rounded_up(number, divisor):
    return (number + divisor - 1) // divisor


def _common_divisor(a, b):
    while b:
        a, b = b, a % b
    return a
