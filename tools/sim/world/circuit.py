# Analog circuits of a charging station with a vehicle on the other end. MIT license.
"""Circuits of control pilot, proximity and thermistor: voltages at the board's ADC pins, in microvolts.

The pilot's ADC pin carries 1.65 V + 0.11 x CP, so that +-12 V becomes 2.97 V and 0.33 V.
"""

import math

from micropython import const

_SOURCE_OHM = const(1000)
_GENERATOR_MV = const(12_000)
_DIODE_MV = const(700)

# Resistance of the vehicle between CP and PE, behind its diode (IEC 61851-1 table A.4).
VEHICLE_OHM = {"B": 2740, "C": 882, "D": 246}
CABLE_OHM = {13: 1500, 20: 680, 32: 220, 63: 100}  # proximity coding of the cable (IEC 61851-1 table B.2)

PERIOD_US = const(1000)  # of the pilot's PWM
_FULL = const(65535)

_OFFSET_UV = const(1_650_000)
_UV_PER_MV = const(110)
_SUPPLY_UV = const(3_300_000)
_PULL_UP_OHM = const(1000)

_NTC_OHM = const(10_000)  # at 25 degrees, and its pull-up
_NTC_BETA = const(3950)


def divide(ohm, diode):
    """Returns the CP voltage in mV of the (positive, negative) half-wave with a vehicle's resistor."""
    if diode:
        return _DIODE_MV + (_GENERATOR_MV - _DIODE_MV) * ohm // (ohm + _SOURCE_OHM), -_GENERATOR_MV
    high = _GENERATOR_MV * ohm // (ohm + _SOURCE_OHM)
    return high, -high


def offered_ma(duty):
    """Returns the current in mA that a vehicle reads from a duty cycle in 0.01 % (IEC 61851-1 table A.8); 0: none."""
    if duty < 800 or duty > 9700:
        return 0
    if duty < 1000:
        return 6000
    if duty <= 8500:
        return duty * 6
    return min((duty - 6400) * 25, 80_000)


def letter(duty, high_mv, low_mv):
    """Returns the pilot state for the voltages, "A" to "F"."""
    if high_mv < 1500 and low_mv > -1500:
        return "E"
    if duty == 0 or high_mv <= -10_500:
        return "F"
    for name, above in (("A", 10_500), ("B", 7_500), ("C", 4_500), ("D", 1_500)):
        if high_mv >= above:
            return name
    return "E"


class Pilot:
    """The control pilot from the PWM output to the ADC pin. `changed()` is called when duty or voltages changed."""

    def __init__(self, changed):
        self._changed = changed
        self._u16 = -1
        self._vehicle = (_GENERATOR_MV, -_GENERATOR_MV)  # levels of the two half-waves with the vehicle
        self._resistor = None
        self._held = False  # both half-waves are forced, see hold()
        self.diode_shorted = False
        self.shorted = False  # CP to PE
        self.broken = False  # CP or PE wire open
        self.disconnected = False  # by the station's own switch
        self.high_uv = self.low_uv = 0  # at the ADC pin, during the two parts of the period
        self.drive(0)

    def drive(self, u16):
        """Takes the duty cycle of the PWM output, 0 (-12 V) to 65535 (+12 V)."""
        if u16 == self._u16:
            return
        self._u16 = u16
        self.duty = 10_000 if u16 >= _FULL else (u16 * 10_000 + 32_768) // 65_536
        self.high_us = PERIOD_US if u16 >= _FULL else (u16 * PERIOD_US + 32_768) // 65_536
        self.update()

    def attach(self, state):
        """Connects a vehicle in pilot state "A" (nothing) to "F" (CP pulled to -12 V)."""
        self._resistor = VEHICLE_OHM.get(state)
        self._held = False
        if state == "E":
            self._vehicle = (0, 0)
        elif state == "F":
            self._vehicle = (-_GENERATOR_MV, -_GENERATOR_MV)
        else:
            self._vehicle = (_GENERATOR_MV, -_GENERATOR_MV)
        self.update()

    def force(self, high_mv, diode):
        """Forces the positive half-wave to a voltage; without diode the negative one is its mirror image."""
        self._resistor = None
        self._held = False
        self._vehicle = (high_mv, -_GENERATOR_MV if diode else -high_mv)
        self.update()

    def hold(self, high_mv, low_mv):
        """Forces both half-waves at the terminal to any voltages."""
        self._resistor = None
        self._held = True
        self._vehicle = (high_mv, low_mv)
        self.update()

    @property
    def seen(self):
        """True if the vehicle is connected to the pilot."""
        return not (self.shorted or self.broken or self.disconnected)

    def update(self):
        if self.disconnected or self.broken:
            high, low = _GENERATOR_MV, -_GENERATOR_MV
        elif self.shorted:
            high = low = 0
        elif self._resistor:
            high, low = divide(self._resistor, not self.diode_shorted)
        else:
            high, low = self._vehicle
            if self.diode_shorted and high > 0 and not self._held:
                low = -high
        self.high_mv, self.low_mv = high, low
        self.high_uv = _OFFSET_UV + high * _UV_PER_MV
        self.low_uv = _OFFSET_UV + low * _UV_PER_MV
        self._changed()

    @property
    def millivolts(self):
        """The voltage that determines the state: of the positive half-wave, or the steady -12 V."""
        return self.high_mv if self.high_us else self.low_mv

    @property
    def state(self):
        return letter(self.duty, self.high_mv, self.low_mv)


def proximity_uv(ohm):
    """Returns the voltage at the PP pin for a cable resistor, or None for no cable."""
    return _SUPPLY_UV if ohm is None else int(_SUPPLY_UV * ohm // (ohm + _PULL_UP_OHM))


def thermistor_uv(tenths):
    """Returns the voltage at the thermistor's pin for a temperature in tenths of a degree, for "open" (a wire that is
    torn off) or for "short"."""
    if tenths == "open":
        return _SUPPLY_UV
    if tenths == "short":
        return 0
    kelvin = tenths / 10 + 273.15
    ohm = _NTC_OHM * math.exp(_NTC_BETA * (1 / kelvin - 1 / 298.15))
    return int(_SUPPLY_UV * ohm / (ohm + _NTC_OHM))
