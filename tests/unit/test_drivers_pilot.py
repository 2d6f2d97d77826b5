"""drivers/pilot: duty to PWM, and both half waves from ADC reads in all phases (IEC 61851-1 tables A.2 and A.3)."""

from harness import raises

from firmware.drivers.pilot import Pilot

CALIBRATION = ((330_000, -12_000), (2_970_000, 12_000))


class Pwm:
    def __init__(self):
        self.duties = []

    def duty_u16(self, duty):
        self.duties.append(duty)


class Adc:
    """What a pilot at `duty` (0.01 %) looks like, and the clock: a read takes `read_us`, a look at the clock 3 us."""

    def __init__(self, high_mv, low_mv, duty, read_us=45, spikes=()):
        self.levels = [1_650_000 + mv * 110 for mv in (high_mv, low_mv)]
        self.high_us = duty // 10
        self.now_us = 0
        self.read_us = read_us
        self.spikes = dict(spikes)  # number of the read in a sample: uV
        self.reads = 0

    def read_uv(self):
        self.now_us += self.read_us
        self.reads += 1
        level = self.levels[0] if self.now_us % 1000 < self.high_us else self.levels[1]
        return self.spikes.get(self.reads, level)

    def ticks_us(self):
        self.now_us += 3
        return self.now_us & 0x3FFF_FFFF


def pilot_of(adc, duty=10_000, calibration=CALIBRATION):
    pilot = Pilot(Pwm(), adc, calibration, ticks=adc.ticks_us)
    pilot.drive(duty)
    adc.reads = 0
    return pilot


def sample(adc, duty=10_000):
    return pilot_of(adc, duty).sample()


def near(levels, high_mv, low_mv, tolerance=20):
    return abs(levels[0] - high_mv) <= tolerance and abs(levels[1] - low_mv) <= tolerance


def test_duty_reaches_both_ends_of_the_pwm_exactly():
    pwm = Pwm()
    adc = Adc(0, 0, 0)
    pilot = Pilot(pwm, adc, CALIBRATION, ticks=adc.ticks_us)
    for duty in (10_000, 0, 1000, 5333):
        pilot.drive(duty)
    assert pwm.duties == [65_535, 0, 6554, 34_950]


def test_an_unchanged_duty_is_not_written_again():
    pwm = Pwm()
    adc = Adc(0, 0, 0)
    pilot = Pilot(pwm, adc, CALIBRATION, ticks=adc.ticks_us)
    pilot.drive(1000)
    pilot.drive(1000)
    assert len(pwm.duties) == 1


def test_a_duty_out_of_range_never_reaches_the_pin():
    pwm = Pwm()
    adc = Adc(0, 0, 0)
    pilot = Pilot(pwm, adc, CALIBRATION, ticks=adc.ticks_us)
    for duty in (-1, 10_001):
        with raises(ValueError):
            pilot.drive(duty)
    assert pwm.duties == []


def test_a_steady_pilot_has_equal_levels():
    for mv in (12_000, 9000, 6000, 3000, 0, -12_000):
        assert near(sample(Adc(mv, mv, 5000)), mv, mv)


def test_both_half_waves_of_every_state_and_current():
    for high_mv in (12_000, 9000, 6000, 3000):
        for duty in (800, 1000, 1667, 2667, 5333, 8500, 8920, 9600):  # 6 A to 80 A
            assert near(sample(Adc(high_mv, -12_000, duty), duty), high_mv, -12_000)


def test_reads_that_would_lock_to_the_phase_meet_both_half_waves():
    for read_us in (50, 100, 125, 97, 122):  # with 3 us for the clock the last two are 100 and 125
        for duty in (800, 1000, 9600):
            for phase_us in range(0, 1000, 10):
                adc = Adc(6000, -12_000, duty, read_us)
                pilot = pilot_of(adc, duty)
                adc.now_us += phase_us
                assert near(pilot.sample(), 6000, -12_000), (read_us, duty, phase_us)


def test_a_missing_diode_shows_in_the_low_half_wave():
    assert near(sample(Adc(9000, -9000, 2667), 2667), 9000, -9000)


def test_one_spike_decides_nothing():
    for duty in (1000, 2667, 8920):
        for number in range(1, 40):
            for uv in (0, 3_300_000):
                levels = sample(Adc(6000, -12_000, duty, spikes=((number, uv),)), duty)
                assert near(levels, 6000, -12_000, 150), (duty, number, uv)


def test_a_read_that_an_interrupt_holds_up_waits_for_its_place():
    """Otherwise all reads after it would follow each other every 100 us, and miss a half wave of 80 us."""

    class Interrupted(Adc):
        interrupt_us = 0

        def ticks_us(self):
            if self.reads == 1:
                self.now_us += self.interrupt_us
                self.interrupt_us = 0
            return Adc.ticks_us(self)

    for phase_us in range(0, 1000, 10):
        for interrupt_us in (60, 270, 1300):
            adc = Interrupted(6000, -12_000, 800, 97)
            pilot = pilot_of(adc, 800)
            adc.now_us += phase_us
            adc.interrupt_us = interrupt_us
            assert near(pilot.sample(), 6000, -12_000), (phase_us, interrupt_us)


def test_a_sample_lasts_4_ms_at_50_us_a_read_and_less_at_currents_below_63_amperes():
    for duty, most_ms in ((10_000, 1), (0, 1), (1000, 2), (2667, 1), (5333, 1), (8920, 2), (800, 3), (9600, 4)):
        adc = Adc(6000, -12_000, duty, 47)  # 50 us with the look at the clock
        pilot = pilot_of(adc, duty)
        began_us = adc.now_us
        pilot.sample()
        assert adc.now_us - began_us <= most_ms * 1000 and pilot.periods <= most_ms, (duty, pilot.periods)
        assert adc.reads == pilot.reads and adc.reads * 50 <= most_ms * 1000
        assert pilot.sampling_ms(1000) == 1


def test_a_sample_ends_although_every_read_is_late():
    """The processor has become slower than it was when the reads were measured."""
    adc = Adc(9000, -12_000, 2667)
    pilot = pilot_of(adc, 2667)
    adc.read_us = 200
    began_us = adc.now_us
    pilot.sample()
    assert adc.now_us - began_us <= 3 * 1000 + pilot.reads * 210


def test_the_clock_wraps():
    adc = Adc(6000, -12_000, 1000)
    pilot = pilot_of(adc, 1000)
    for before_us in range(0, 2_000, 90):
        adc.now_us = 2**30 - before_us
        assert near(pilot.sample(), 6000, -12_000), before_us


def test_calibration_by_two_levels_replaces_that_of_the_board():
    adc = Adc(12_000, -12_000, 5000)
    pilot = pilot_of(adc, 5000, ((0, -20_000), (3_000_000, 20_000)))  # far off
    high_uv, low_uv = pilot.sample_uv()
    pilot.calibrate(((low_uv, -12_000), (high_uv, 12_000)))
    assert near(pilot.sample(), 12_000, -12_000)
    with raises(ValueError):
        pilot.calibrate(((low_uv, -12_000), (low_uv, 12_000)))


def test_an_inverting_amplifier_is_a_matter_of_calibration():
    inverting = pilot_of(Adc(6000, -12_000, 5000), 5000, ((330_000, 12_000), (2_970_000, -12_000)))
    assert near(inverting.sample(), 12_000, -6000)


def test_a_new_duty_counts_from_the_next_period_on():
    """A calibration drives +12 V and measures at once; the PWM takes a new duty up at the end of its period."""

    class Latching(Adc):
        def read_uv(self):
            uv = Adc.read_uv(self)
            return self.levels[1] if self.now_us < 1000 else uv

    adc = Latching(12_000, -12_000, 10_000)
    pilot = Pilot(Pwm(), adc, CALIBRATION, ticks=adc.ticks_us)
    adc.now_us = 0
    assert pilot.sample_uv() == (2_970_000, 2_970_000)


def test_an_adc_that_fails_raises_oserror():
    class Broken(Adc):
        def read_uv(self):
            raise OSError(5)

    pilot = pilot_of(Broken(0, 0, 0))
    with raises(OSError):
        pilot.sample()


def test_disconnecting_needs_a_switch():
    levels = []
    adc = Adc(0, 0, 0)
    pilot = Pilot(Pwm(), adc, CALIBRATION, levels.append, adc.ticks_us)
    assert pilot.can_disconnect
    pilot.disconnect(True)
    pilot.disconnect(False)
    assert levels == [1, 0]
    without = pilot_of(adc)
    without.disconnect(True)
    assert not without.can_disconnect
