"""Temperature of the outlet, from an NTC resistor of 10 kOhm at 25 C, B 3950 K."""

from micropython import const

_READS = const(4)

# Ohm at -40, -35 .. 150 C: 10 kOhm * exp(3950 K * (1 / T - 1 / 298.15 K)). Linear interpolation is within 0.2 degrees.
_FIRST_DC = const(-400)
_STEP_DC = const(50)
_TABLE = (
    401_860, 281_577, 200_204, 144_317, 105_385, 77_898, 58_246, 44_026,
    33_621, 25_925, 20_175, 15_837, 12_535, 10_000, 8037, 6506,
    5301, 4348, 3588, 2978, 2486, 2086, 1760, 1492,
    1270, 1087, 934, 805, 698, 606, 529, 463,
    407, 359, 317, 281, 250, 223, 200,
)  # fmt: skip


class Thermistor:
    """The NTC lies between a machine.ADC and ground, `pull_up_ohm` between the ADC and `supply_mv`.

    ceiling_mv  saturation voltage of the ADC: above it the sensor counts as open
    """

    fitted = True

    def __init__(self, adc, supply_mv=3300, pull_up_ohm=10_000, ceiling_mv=3250):
        self._read_uv = adc.read_uv
        self._supply_mv = supply_mv
        self._pull_up_ohm = pull_up_ohm
        self._ceiling_mv = min(ceiling_mv, supply_mv - 1)

    def temperature_dc(self):
        """Returns tenths of a degree Celsius, None when the sensor is open or shorted. Raises OSError."""
        total = 0
        for _ in range(_READS):
            total += self._read_uv()
        mv = total // (_READS * 1000)
        if mv <= 0 or mv > self._ceiling_mv:
            return None
        return temperature_of(self._pull_up_ohm * mv // (self._supply_mv - mv))


def temperature_of(ohm):
    """Returns tenths of a degree for a resistance, None outside -40 to 150 C."""
    if not _TABLE[-1] <= ohm <= _TABLE[0]:
        return None
    low, high = 0, len(_TABLE) - 1
    while high - low > 1:  # the resistance falls from low to high
        middle = (low + high) // 2
        if ohm <= _TABLE[middle]:
            low = middle
        else:
            high = middle
    span = _TABLE[low] - _TABLE[high]
    return _FIRST_DC + _STEP_DC * low + ((_TABLE[low] - ohm) * _STEP_DC + span // 2) // span
