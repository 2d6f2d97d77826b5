"""Times of the ADC reads of the pilot in the phase of its PWM: so many in so many periods that no half wave is missed.

N reads in k periods, k and N without a common divisor, one every k/N of a period: their phases divide the period into N
equal places, whatever the phase at which the sample begins. A half wave of W us meets W x N / 1000 of them, less what a
read may be late.
"""

from micropython import const

PERIOD_US = const(1_000)  # IEC 61851-1 A.3.1
MOST_READS = const(96)

STEADY = const(10_000)  # duty in steps of 0.01 %
_SHORTEST_US = const(40)  # of half waves: the negative one at 80 A

_LEAST_READS = const(16)  # also of a steady pilot, so that noise averages out
# Places in the shortest half wave, in tenths. With three a spike in one read decides nothing: that is worth 4 ms, and
# not more. With two and a half, and reads that are late by half a place at most, two reads are certain.
_WANTED = const(31)
_NEEDED = const(25)
_WORTH_PERIODS = const(4)


def shortest_us(duty):
    """Returns how long the shorter half wave lasts at a duty in 0.01 %; a whole period for a steady pilot."""
    if not 0 < duty < STEADY:
        return PERIOD_US
    return max(_SHORTEST_US, min(duty, STEADY - duty) // 10)


def plan(half_wave_us, read_us):
    """Returns (reads, periods) that meet every half wave of `half_wave_us`, where a read takes `read_us`."""
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
