"""Reading: the values of an energy meter at one moment (Wh, W, mA, mV), as integers."""


class Reading:
    """The values of a meter at one moment. A field is None when the meter does not measure it or sent no valid value.

    energy_wh       imported active energy register, Wh
    power_w         total active power, W (negative: export)
    currents_ma     tuple of one or three phase currents, mA
    voltages_mv     tuple of one or three voltages phase to neutral, mV
    powers_w        tuple of one or three phase powers, W
    frequency_mhz   mains frequency, mHz
    export_wh       exported active energy register, Wh
    temperature_dc  tenths of a degree Celsius
    """

    FIELDS = (
        "energy_wh",
        "power_w",
        "currents_ma",
        "voltages_mv",
        "powers_w",
        "frequency_mhz",
        "export_wh",
        "temperature_dc",
    )

    def __init__(
        self,
        energy_wh=None,
        power_w=None,
        currents_ma=None,
        voltages_mv=None,
        powers_w=None,
        frequency_mhz=None,
        export_wh=None,
        temperature_dc=None,
    ):
        self.energy_wh = energy_wh
        self.power_w = power_w
        self.currents_ma = currents_ma
        self.voltages_mv = voltages_mv
        self.powers_w = powers_w
        self.frequency_mhz = frequency_mhz
        self.export_wh = export_wh
        self.temperature_dc = temperature_dc

    def to_list(self):
        """Returns the fields as a list in the order of FIELDS, without None at its end, for the journal."""
        values = [getattr(self, name) for name in self.FIELDS]
        while values and values[-1] is None:
            values.pop()
        return values

    @staticmethod
    def from_list(values):
        """Returns the reading of a list from to_list(); missing fields are None."""
        return Reading(*[tuple(v) if isinstance(v, list) else v for v in values[: len(Reading.FIELDS)]])
