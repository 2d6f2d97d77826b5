"""Control pilot (CP): PWM output and measurement of its voltages by ADC (IEC 61851-1 annex A).

The generator switches the pilot between +12 V and -12 V at 1 kHz behind 1 kOhm; what the vehicle's resistor and diode
leave of it is measured at the CP terminal through a divider with offset.
"""

from array import array

from micropython import const

_STEADY = const(10_000)  # duty in steps of 0.01 %
_FULL_SCALE = const(65_535)  # machine.PWM takes it as exactly 100 %, without leaving PWM mode

# Half a wave is what lies within this much of its extreme: more than ripple and noise, less than the 3 V between the
# levels of two vehicle states.
_BAND_MV = const(1_000)

# 0.1 mV at the ADC: the product with a span of 24 V stays within the 31 bits of a small int, so nothing is allocated.
_UNIT_UV = const(100)

_UNREAL_UV = const(100_000_000)


class Pilot:
    """Drives and measures the pilot of one connector.

    pwm          machine.PWM at 1 kHz
    adc          machine.ADC (read_uv) behind the divider
    calibration  two points ((uV at the ADC, mV at the CP terminal), (uV, mV))
    reads        ADC reads of one sample. They are not synchronised to the PWM, so they must last at least two periods
                 (2 ms), and at least one has to meet the shortest half wave of each period: 100 us at 6 A and 63 A
    switch       machine.Pin, 1 = pilot disconnected from the terminal; None = not fitted
    """

    def __init__(self, pwm, adc, calibration, reads=100, switch=None):
        self._pwm = pwm
        self._read_uv = adc.read_uv
        self._switch = switch
        self._samples = array("i", [0] * reads)
        self._high_uv = self._low_uv = 0  # of the newest sample
        self._levels = [0, 0]
        self._duty = None
        self.calibrate(calibration)

    @property
    def can_disconnect(self):
        return self._switch is not None

    def calibrate(self, calibration):
        """Takes two points ((uV, mV), (uV, mV)), measured at two known levels of the pilot. Raises ValueError."""
        (low_uv, low_mv), (high_uv, high_mv) = calibration
        if high_uv // _UNIT_UV == low_uv // _UNIT_UV or high_mv == low_mv:
            raise ValueError("calibration points are the same level")
        self._offset = low_uv // _UNIT_UV
        self._offset_mv = low_mv
        self._span = high_uv // _UNIT_UV - self._offset
        self._span_mv = high_mv - low_mv
        self._band_uv = abs(_BAND_MV * self._span // self._span_mv * _UNIT_UV)

    def drive(self, duty):
        """Sets the duty in 0.01 % steps: 10000 = +12 V steady, 0 = -12 V (state F), 1000 = 6 A."""
        if duty != self._duty:
            if not 0 <= duty <= _STEADY:
                raise ValueError(f"pilot duty {duty}")
            self._pwm.duty_u16((duty * _FULL_SCALE + _STEADY // 2) // _STEADY)
            self._duty = duty

    def disconnect(self, on):
        """Opens (True) or closes the switch between generator and terminal; without one nothing happens."""
        if self._switch:
            self._switch(1 if on else 0)

    def sample(self):
        """Returns the levels of both half waves in mV at the CP terminal: [high, low], equal for a steady pilot.

        It is the same list each time: 50 new ones a second would be garbage. Blocks for the time of the reads. Raises
        OSError when the ADC fails.
        """
        self._measure()
        high_uv, low_uv = self._high_uv, self._low_uv
        if self._span < 0 < self._span_mv or self._span_mv < 0 < self._span:  # the board's amplifier inverts
            high_uv, low_uv = low_uv, high_uv
        levels = self._levels
        levels[0] = self._to_mv(high_uv)
        levels[1] = self._to_mv(low_uv)
        return levels

    def sample_uv(self):
        """Returns (high, low) in uV at the ADC; what a calibration at two known levels starts from."""
        self._measure()
        return self._high_uv, self._low_uv

    def _measure(self):
        samples = self._samples
        read_uv = self._read_uv
        # The second highest and lowest, so that one spike decides nothing.
        highest = high = -_UNREAL_UV
        lowest = low = _UNREAL_UV
        for i in range(len(samples)):
            uv = read_uv()
            samples[i] = uv
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
        """Returns the mean of the samples within the band round `level`: noise averages out, edges do not count."""
        floor = level - self._band_uv
        ceiling = level + self._band_uv
        total = count = 0
        for uv in self._samples:
            if floor <= uv <= ceiling:
                total += uv
                count += 1
        return total // count

    def _to_mv(self, uv):
        return self._offset_mv + (uv // _UNIT_UV - self._offset) * self._span_mv // self._span
