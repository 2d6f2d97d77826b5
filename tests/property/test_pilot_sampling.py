"""The pilot's levels come out of unsynchronised, noisy reads whatever duty, phase, read time and divider are."""

import math
import random

from hypothesis import assume, given
from hypothesis import strategies as st

from firmware.drivers.pilot import Pilot

# IEC 61851-1 table A.3 leaves 0.7 V between the bands of two states and more round those that a station decides by.
_TOLERANCE_MV = 300

HIGH_MV = st.sampled_from((12_000, 9000, 6000, 3000))
LOW_MV = st.sampled_from((-12_000, -9000, -3000))
DUTY = st.integers(1000, 8920)  # 6 A to 63 A: the shorter half wave lasts 100 us
STEP_US = st.floats(30, 90)
PHASE_US = st.floats(0, 1000)
SEED = st.integers(0, 2**32)


class Pwm:
    def duty_u16(self, duty):
        pass


class Circuit:
    """A pilot of 1 kHz with a linear divider before an ADC that is noisy and knows steps of 1 mV."""

    def __init__(self, high_mv, low_mv, duty, step_us, phase_us, seed, gain=1.0, offset_mv=0, noise_mv=0, ripple_mv=0):
        self.levels = high_mv, low_mv
        self.high_us = duty / 10
        self.step_us = step_us
        self.now_us = phase_us
        self.random = random.Random(seed)
        self.gain = gain
        self.offset_mv = offset_mv
        self.noise_mv = noise_mv
        self.ripple_mv = ripple_mv
        self.spike_at = None

    def at_adc(self, mv):
        """uV at the ADC for mV at the terminal."""
        return round((1_650_000 + self.offset_mv * 1000 + mv * 110 * self.gain) / 1000) * 1000

    def calibration(self):
        return (self.at_adc(-12_000), -12_000), (self.at_adc(12_000), 12_000)

    def read_uv(self):
        self.now_us += self.step_us * self.random.uniform(0.98, 1.02)
        mv = self.levels[0] if self.now_us % 1000 < self.high_us else self.levels[1]
        mv += self.ripple_mv * math.sin(2 * math.pi * self.now_us / 20_000)
        mv += self.random.uniform(-self.noise_mv, self.noise_mv)
        if self.spike_at is not None:
            self.spike_at -= 1
            if self.spike_at == 0:
                return self.random.choice((0, 3_300_000))
        return max(0, min(3_300_000, self.at_adc(mv)))


DIVIDERS = st.tuples(st.floats(0.85, 1.1), st.integers(-50, 50))  # gain, offset in mV
NOISE = st.tuples(st.integers(0, 120), st.integers(0, 150))  # noise and 50 Hz ripple in mV


@given(HIGH_MV, LOW_MV, DUTY, STEP_US, PHASE_US, SEED, DIVIDERS, NOISE)
def test_both_half_waves_are_found(high_mv, low_mv, duty, step_us, phase_us, seed, divider, noise):
    circuit = Circuit(high_mv, low_mv, duty, step_us, phase_us, seed, *divider, *noise)
    high, low = Pilot(Pwm(), circuit, circuit.calibration()).sample()
    assert abs(high - high_mv) <= _TOLERANCE_MV
    assert abs(low - low_mv) <= _TOLERANCE_MV


@given(HIGH_MV, DUTY, STEP_US, PHASE_US, SEED, st.integers(1, 100))
def test_a_spike_changes_no_state(high_mv, duty, step_us, phase_us, seed, spike_at):
    circuit = Circuit(high_mv, -12_000, duty, step_us, phase_us, seed, noise_mv=50)
    circuit.spike_at = spike_at
    high, low = Pilot(Pwm(), circuit, circuit.calibration()).sample()
    assert abs(high - high_mv) <= _TOLERANCE_MV
    assert abs(low + 12_000) <= _TOLERANCE_MV


@given(st.integers(-12_000, 12_000), st.integers(0, 150), SEED)
def test_a_steady_pilot_reads_the_same_in_both_halves(mv, noise_mv, seed):
    circuit = Circuit(mv, mv, 5000, 45, 0, seed, noise_mv=noise_mv)
    high, low = Pilot(Pwm(), circuit, circuit.calibration()).sample()
    assert abs(high - mv) <= 60 + noise_mv // 2
    assert abs(low - mv) <= 60 + noise_mv // 2


@given(st.integers(0, 10_000))
def test_the_pwm_is_within_half_a_step_of_the_duty(duty):
    written = []

    class Recorder:
        def duty_u16(self, value):
            written.append(value)

    Pilot(Recorder(), Circuit(0, 0, 0, 1, 0, 0), ((0, -12_000), (3_000_000, 12_000))).drive(duty)
    assert abs(written[0] - duty * 65_535 / 10_000) <= 0.5


@given(st.integers(0, 3_300_000), st.integers(0, 1_000_000), st.integers(2_000_000, 3_300_000))
def test_conversion_needs_no_more_than_a_small_int(uv, low_uv, high_uv):
    assume(high_uv - low_uv > 1_000_000)
    pilot = Pilot(Pwm(), Circuit(0, 0, 0, 1, 0, 0), ((low_uv, -12_000), (high_uv, 12_000)))
    assert abs((uv // 100 - pilot._offset) * pilot._span_mv) < 2**30
    exact = -12_000 + (uv - low_uv) * 24_000 / (high_uv - low_uv)
    assert abs(pilot._to_mv(uv) - exact) <= 10
