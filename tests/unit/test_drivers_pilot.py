"""drivers/pilot: duty to PWM, and both half waves from unsynchronised ADC reads (IEC 61851-1 tables A.2 and A.3)."""

from harness import raises

from firmware.drivers.pilot import Pilot

CALIBRATION = ((330_000, -12_000), (2_970_000, 12_000))


class Pwm:
    def __init__(self):
        self.duties = []

    def duty_u16(self, duty):
        self.duties.append(duty)


class Adc:
    """What a pilot at `duty` (0.01 %) looks like when it is read every `step_us`."""

    def __init__(self, high_mv, low_mv, duty, step_us=45, spikes=()):
        self.levels = [1_650_000 + mv * 110 for mv in (high_mv, low_mv)]
        self.high_us = duty // 10
        self.now_us = 0
        self.step_us = step_us
        self.spikes = dict(spikes)  # number of the read: uV
        self.reads = 0

    def read_uv(self):
        self.now_us += self.step_us
        self.reads += 1
        level = self.levels[0] if self.now_us % 1000 < self.high_us else self.levels[1]
        return self.spikes.get(self.reads, level)


def sample(adc, reads=100):
    return Pilot(Pwm(), adc, CALIBRATION, reads).sample()


def near(levels, high_mv, low_mv, tolerance=20):
    return abs(levels[0] - high_mv) <= tolerance and abs(levels[1] - low_mv) <= tolerance


def test_duty_reaches_both_ends_of_the_pwm_exactly():
    pwm = Pwm()
    pilot = Pilot(pwm, Adc(0, 0, 0), CALIBRATION)
    for duty in (10_000, 0, 1000, 5333):
        pilot.drive(duty)
    assert pwm.duties == [65_535, 0, 6554, 34_950]


def test_an_unchanged_duty_is_not_written_again():
    pwm = Pwm()
    pilot = Pilot(pwm, Adc(0, 0, 0), CALIBRATION)
    pilot.drive(1000)
    pilot.drive(1000)
    assert len(pwm.duties) == 1


def test_a_duty_out_of_range_never_reaches_the_pin():
    pwm = Pwm()
    pilot = Pilot(pwm, Adc(0, 0, 0), CALIBRATION)
    for duty in (-1, 10_001):
        with raises(ValueError):
            pilot.drive(duty)
    assert pwm.duties == []


def test_a_steady_pilot_has_equal_levels():
    for mv in (12_000, 9000, 6000, 3000, 0, -12_000):
        assert near(sample(Adc(mv, mv, 5000)), mv, mv)


def test_both_half_waves_of_every_state_and_current():
    for high_mv in (12_000, 9000, 6000, 3000):
        for duty in (1000, 1667, 2667, 5333, 8500, 8920):  # 6 A to 63 A
            assert near(sample(Adc(high_mv, -12_000, duty)), high_mv, -12_000)


def test_a_missing_diode_shows_in_the_low_half_wave():
    assert near(sample(Adc(9000, -9000, 2667)), 9000, -9000)


def test_one_spike_decides_nothing():
    for uv in (0, 3_300_000):
        levels = sample(Adc(6000, -12_000, 2667, spikes=((17, uv),)))
        assert near(levels, 6000, -12_000, 150)


def test_calibration_by_two_levels_replaces_that_of_the_board():
    adc = Adc(12_000, -12_000, 5000)
    pilot = Pilot(Pwm(), adc, ((0, -20_000), (3_000_000, 20_000)))  # far off
    high_uv, low_uv = pilot.sample_uv()
    pilot.calibrate(((low_uv, -12_000), (high_uv, 12_000)))
    assert near(pilot.sample(), 12_000, -12_000)
    with raises(ValueError):
        pilot.calibrate(((low_uv, -12_000), (low_uv, 12_000)))


def test_an_inverting_amplifier_is_a_matter_of_calibration():
    inverting = Pilot(Pwm(), Adc(6000, -12_000, 5000), ((330_000, 12_000), (2_970_000, -12_000)))
    assert near(inverting.sample(), 12_000, -6000)


def test_sampling_takes_exactly_the_reads_it_was_given():
    adc = Adc(9000, 9000, 10_000)
    sample(adc, reads=64)
    assert adc.reads == 64


def test_an_adc_that_fails_raises_oserror():
    class Broken(Adc):
        def read_uv(self):
            raise OSError(5)

    with raises(OSError):
        sample(Broken(0, 0, 0))


def test_disconnecting_needs_a_switch():
    levels = []
    pilot = Pilot(Pwm(), Adc(0, 0, 0), CALIBRATION, switch=levels.append)
    assert pilot.can_disconnect
    pilot.disconnect(True)
    pilot.disconnect(False)
    assert levels == [1, 0]
    without = Pilot(Pwm(), Adc(0, 0, 0), CALIBRATION)
    without.disconnect(True)
    assert not without.can_disconnect
