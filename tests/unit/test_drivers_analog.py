"""drivers/proximity (IEC 61851-1 annex B) and drivers/thermistor."""

import math

from firmware.drivers.proximity import Proximity
from firmware.drivers.thermistor import Thermistor, temperature_of


class Divider:
    """An ADC between a pull-up resistor and `ohm` to ground (None = open), with alternating noise."""

    def __init__(self, ohm, pull_up_ohm, noise_uv=0):
        self.uv = 3_300_000 if ohm is None else 3_300_000 * ohm // (pull_up_ohm + ohm)
        self.noise_uv = noise_uv

    def read_uv(self):
        self.noise_uv = -self.noise_uv
        return self.uv + self.noise_uv


def test_cable_resistors_are_measured_within_two_percent():
    for ohm in (100, 220, 680, 1500):
        measured = Proximity(Divider(ohm, 1000, noise_uv=3000)).ohm()
        assert abs(measured - ohm) * 50 <= ohm


def test_an_open_proximity_contact_is_none():
    for ohm in (None, 12_000, 1_000_000):
        assert Proximity(Divider(ohm, 1000)).ohm() is None


def test_a_shorted_proximity_contact_is_zero_ohm():
    assert Proximity(Divider(0, 1000)).ohm() == 0


def test_a_reading_above_the_supply_is_open_and_below_ground_is_short():
    class Fixed:
        def __init__(self, uv):
            self.uv = uv

        def read_uv(self):
            return self.uv

    assert Proximity(Fixed(3_400_000)).ohm() is None
    assert Proximity(Fixed(-20_000)).ohm() == 0


def test_temperature_follows_the_beta_formula_within_three_tenths():
    for dc in range(-400, 1501, 7):
        kelvin = 273.15 + dc / 10
        ohm = 10_000 * math.exp(3950 * (1 / kelvin - 1 / 298.15))
        measured = temperature_of(round(ohm))
        assert measured is None or abs(measured - dc) <= (3 if dc < 1000 else 6), (dc, measured)
        assert measured is not None or dc in (-400, 1500)


def test_temperature_at_the_pins_of_the_board():
    assert temperature_of(10_000) == 250
    assert abs(Thermistor(Divider(10_000, 10_000)).temperature_dc() - 250) <= 1
    assert abs(Thermistor(Divider(1760, 22_000), pull_up_ohm=22_000).temperature_dc() - 700) <= 4


def test_a_broken_or_shorted_sensor_is_none():
    for ohm in (None, 0, 100, 2_000_000):
        assert Thermistor(Divider(ohm, 10_000)).temperature_dc() is None


def test_above_the_ceiling_of_the_adc_the_sensor_counts_as_open():
    assert Thermistor(Divider(200_000, 10_000), ceiling_mv=3050).temperature_dc() is None
