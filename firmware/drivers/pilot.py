"""Control pilot (CP): PWM output and measurement of its voltages by ADC (IEC 61851-1 annex A).

The generator drives +12 V and -12 V at 1 kHz through 1 kOhm; the levels at the CP terminal, which depend on the
vehicle's resistor and diode, are measured through a divider with offset.

PWM and clock run from the same crystal, so a read at a given time is at a known phase of the PWM. The times are planned
in pilot_plan. A read that an interrupt delays by more than half a place waits for its place in the next period.
"""

import time
from array import array

from micropython import const

from firmware.drivers.pilot_plan import MOST_READS, PERIOD_US, STEADY, plan, shortest_us

ticks_us = getattr(time, "ticks_us", None)
if ticks_us is None:

    def ticks_us():  # CPython
        return time.perf_counter_ns() // 1000  # type: ignore[attr-defined]


_FULL_SCALE = const(65_535)  # exactly 100 % for machine.PWM, without leaving PWM mode
_TICKS = const(0x3FFF_FFFF)  # microseconds wrap after 18 minutes

# Samples within this distance of the extreme belong to the half wave: more than ripple and noise, less than the 3 V
# between the levels of two vehicle states.
_BAND_MV = const(1_000)

# 0.1 mV at the ADC: the product with a span of 24 V fits the 31 bits of a small int, so no memory is allocated.
_UNIT_UV = const(100)

_UNREAL_UV = const(100_000_000)

_AGAIN = const(3)  # reads of a sample that may wait for the next period; further late ones are taken late

_TRIALS = const(3)  # measurements of the duration of a read; the shortest one is without interrupts
_TRIAL_READS = const(16)
_USUAL_READ_US = const(60)  # assumed when the ADC fails


class Pilot:
    """Drives and measures the pilot of one connector.

    pwm          machine.PWM at 1 kHz
    adc          machine.ADC (read_uv) behind the divider
    calibration  two points ((uV at the ADC, mV at the CP terminal), (uV, mV))
    switch       machine.Pin, 1 = pilot disconnected from the terminal; None = not fitted
    ticks        function like time.ticks_us()

    read_us           duration of one read on this board, including Python and a margin
    reads, periods    number of reads, and of 1 ms periods, of a sample at the present duty
    """

    def __init__(self, pwm, adc, calibration, switch=None, ticks=None):
        self._pwm = pwm
        self._read_uv = adc.read_uv
        self._switch = switch
        self._ticks_us = ticks or ticks_us
        self._samples = array("i", [0] * MOST_READS)
        self._high_uv = self._low_uv = 0  # of the last sample
        self._levels = [0, 0]
        self._duty = None
        self.read_us = self._time_of_read()
        self._plan(STEADY)
        self.calibrate(calibration)

    @property
    def can_disconnect(self):
        return self._switch is not None

    def calibrate(self, calibration):
        """Sets two points ((uV, mV), (uV, mV)), measured at two known levels of the pilot. Raises ValueError."""
        (low_uv, low_mv), (high_uv, high_mv) = calibration
        if high_uv // _UNIT_UV == low_uv // _UNIT_UV or high_mv == low_mv:
            raise ValueError("both calibration points have the same level")
        self._offset = low_uv // _UNIT_UV
        self._offset_mv = low_mv
        self._span = high_uv // _UNIT_UV - self._offset
        self._span_mv = high_mv - low_mv
        self._band_uv = abs(_BAND_MV * self._span // self._span_mv * _UNIT_UV)

    def drive(self, duty):
        """Sets the duty in 0.01 % steps: 10000 = +12 V steady, 0 = -12 V (state F), 1000 = 6 A."""
        if duty != self._duty:
            if not 0 <= duty <= STEADY:
                raise ValueError(f"pilot duty {duty} is not within 0..10000")
            self._pwm.duty_u16((duty * _FULL_SCALE + STEADY // 2) // STEADY)
            self._duty = duty
            self._plan(duty)

    def disconnect(self, on):
        """Opens (True) or closes the switch between generator and terminal, if fitted."""
        if self._switch:
            self._switch(1 if on else 0)

    def sample(self):
        """Returns the levels of both half waves in mV at the CP terminal: [high, low], equal for a steady pilot.

        Returns the same list object each time, to avoid garbage. Blocks for `periods` ms. Raises OSError when the ADC
        fails.
        """
        self._measure()
        high_uv, low_uv = self._high_uv, self._low_uv
        if self._span < 0 < self._span_mv or self._span_mv < 0 < self._span:  # the amplifier of the board inverts
            high_uv, low_uv = low_uv, high_uv
        levels = self._levels
        levels[0] = self._to_mv(high_uv)
        levels[1] = self._to_mv(low_uv)
        return levels

    def sample_uv(self):
        """Returns (high, low) in uV at the ADC, for calibration at two known levels."""
        self._measure()  # a new duty takes effect with the next period
        self._measure()
        return self._high_uv, self._low_uv

    def sampling_ms(self, half_wave_us):
        """Returns the duration in ms of a sample that hits half waves of `half_wave_us`."""
        return plan(half_wave_us, self.read_us)[1]

    def _plan(self, duty):
        self.reads, self.periods = plan(shortest_us(duty), self.read_us)

    def _time_of_read(self):
        ticks_us = self._ticks_us
        least_us = _TICKS
        try:
            for _ in range(_TRIALS):
                start = ticks_us()
                self._read(_TRIAL_READS, 0, _TICKS)
                least_us = min(least_us, (ticks_us() - start) & _TICKS)
        except OSError:
            return _USUAL_READ_US  # sample() raises it each time
        read_us = (least_us + _TRIAL_READS - 1) // _TRIAL_READS
        return read_us + read_us // 16 + 1

    def _read(self, reads, span_us, late_us):
        """Takes samples at equal distances within `span_us`, each at most `late_us` late."""
        samples = self._samples
        read_uv = self._read_uv
        ticks_us = self._ticks_us
        again = _AGAIN
        shift = 0  # total delay by waiting for the next period, in us
        start = ticks_us()
        for i in range(reads):
            due = i * span_us // reads + shift
            late = ((ticks_us() - start) & _TICKS) - due
            while late < 0 or late > late_us:
                if late > late_us:
                    if not again:
                        break
                    again -= 1
                    missed = (late // PERIOD_US + 1) * PERIOD_US
                    shift += missed
                    due += missed
                late = ((ticks_us() - start) & _TICKS) - due
            samples[i] = read_uv()

    def _measure(self):
        reads = self.reads
        self._read(reads, self.periods * PERIOD_US, PERIOD_US // (2 * reads))
        samples = self._samples
        # The second highest and lowest, so that a single spike has no effect.
        highest = high = -_UNREAL_UV
        lowest = low = _UNREAL_UV
        for i in range(reads):
            uv = samples[i]
            if uv > high:
                if uv > highest:
                    high = highest
                    highest = uv
                else:
                    high = uv
            if uv < low:
                if uv < lowest:
                    low = lowest
                    lowest = uv
                else:
                    low = uv
        self._high_uv = self._mean_near(high)
        self._low_uv = self._mean_near(low)

    def _mean_near(self, level):
        """Returns the mean of the samples in the band around `level`: averages noise, ignores edges."""
        floor = level - self._band_uv
        ceiling = level + self._band_uv
        total = count = 0
        samples = self._samples
        for i in range(self.reads):
            uv = samples[i]
            if floor <= uv <= ceiling:
                total += uv
                count += 1
        return total // count

    def _to_mv(self, uv):
        return self._offset_mv + (uv // _UNIT_UV - self._offset) * self._span_mv // self._span
