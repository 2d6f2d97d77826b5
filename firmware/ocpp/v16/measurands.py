"""Measurands: SampledValue elements (value, unit, phase, context) of a meter reading (OCPP 1.6 §7.31, §7.43).

An item of a list of measurands, as in MeterValuesSampledData, may name a phase: `Current.Import.L1` (§9.1.17). Without
one, all phases of the meter are reported (§3.16.3). Values are decimal text made from integers, exact to the
meter's last digit and never rounded: 16000 mA is "16.0", 15999 mA is "15.999".
"""

from micropython import const

from firmware.ocpp.v16.words import CONTEXTS

# Power.Offered is computed with the nominal voltage, as limits in watts are (OCPP 1.6 §3.13.1).
_NOMINAL_V = const(230)

_PHASES = ("L1", "L2", "L3")
_TOTAL_AND_PHASES = (None, "L1", "L2", "L3")
_TO_NEUTRAL = ("L1-N", "L2-N", "L3-N")

# Measurand -> attribute of a Look or its Reading
_MEASURANDS = {
    "Energy.Active.Import.Register": "energy_wh",
    "Energy.Active.Export.Register": "export_wh",
    "Energy.Active.Import.Interval": "interval_wh",
    "Power.Active.Import": "imported_w",
    "Power.Active.Export": "exported_w",
    "Power.Offered": "offered_w",
    "Current.Import": "currents_ma",
    "Current.Offered": "offered_ma",
    "Voltage": "voltages_mv",
    "Frequency": "frequency_mhz",
    "Temperature": "temperature_dc",
}

MEASURANDS = tuple(_MEASURANDS)  # all supported measurands

# Suffix of the attribute -> (unit of the measurand, its decimals). Frequency has no unit in 1.6: it is in hertz
# (errata 3.86). The schemas spell the Celsius of stations "Celcius" (OCPP-J errata 2.1 keeps it so).
_UNITS = {"wh": ("Wh", 0), "w": ("W", 0), "ma": ("A", 3), "mv": ("V", 3), "mhz": (None, 3), "dc": ("Celcius", 1)}

INTERVAL = "Energy.Active.Import.Interval"


class Look:
    """What is reported at one moment: a Reading, the offered current in mA, and the previous register value in Wh.

    `offered_ma` and `previous_wh` are None when not known.
    """

    def __init__(self, reading, offered_ma=None, previous_wh=None):
        self.reading = reading
        self.offered_ma = offered_ma
        self.previous_wh = previous_wh

    @property
    def interval_wh(self):
        energy_wh = self.reading.energy_wh
        if energy_wh is None or self.previous_wh is None:
            return None
        return max(0, energy_wh - self.previous_wh)

    @property
    def offered_w(self):
        if self.offered_ma is None:
            return None
        return self.offered_ma * _NOMINAL_V * len(self.reading.currents_ma or (0,)) // 1000

    @property
    def imported_w(self):
        return self._power(1)

    @property
    def exported_w(self):
        return None if self.reading.export_wh is None else self._power(-1)

    def _power(self, sign):
        """Returns (total, phases...) of the power in one direction, W; power in the other direction counts as 0."""
        reading = self.reading
        if reading.power_w is None:
            return None
        powers = reading.powers_w or ()
        powers = (reading.power_w,) + (powers if len(powers) > 1 else ())
        return tuple([None if power is None else max(0, sign * power) for power in powers])


def decimal(value, scale):
    """Returns value / 10**scale exactly, with at least one digit behind the point: (16000, 3) -> "16.0"."""
    if not scale:
        return str(value)
    digits = str(abs(value))
    digits = "0" * (scale + 1 - len(digits)) + digits
    return ("-" if value < 0 else "") + digits[:-scale] + "." + (digits[-scale:].rstrip("0") or "0")


def resolve(item):
    """Returns (measurand, phase or None) of an item of a list, in any case. Raises ValueError if unknown."""
    name = _spelled(item)
    if name:
        return name, None
    base, _, phase = item.rpartition(".")
    name, phase = _spelled(base), phase.upper()
    if name is None or (phase not in _PHASES and phase not in _TO_NEUTRAL):
        raise ValueError("unknown measurand")
    return name, phase


def _spelled(item):
    """Returns the name of a measurand as the specification spells it, or None."""
    if item in _MEASURANDS:
        return item
    for name in _MEASURANDS:
        if name.lower() == item.lower():
            return name
    return None


def is_fitted(item, reading):
    """Returns True when a meter with readings like this one can report an item. Raises ValueError."""
    name, phase = resolve(item)
    return bool(_values(name, phase, Look(reading, 0, 0))[1])


def sampled_values(items, context, look):
    """Returns the SampledValue elements for a list of measurands, without those that the meter does not measure.

    `context` is that of the journal.
    """
    result = []
    for item in items:
        try:
            name, phase = resolve(item)
        except ValueError:
            continue  # a value from the factory file, which is not checked
        unit, values = _values(name, phase, look)
        for where, text in values:
            value = {"value": text, "context": CONTEXTS[context], "measurand": name}
            if unit:
                value["unit"] = unit
            if where:
                value["phase"] = where
            result.append(value)
    return result


def _values(name, phase, look):
    """Returns (unit, [(phase or None, text)]) of one measurand, for one phase if the list names it."""
    place = _MEASURANDS[name]
    unit, scale = _UNITS[place.rpartition("_")[2]]
    value = getattr(look if hasattr(look, place) else look.reading, place)
    values = ((None, value),)
    if type(value) is tuple:
        # Power has the total before the phases.
        names = _TO_NEUTRAL if unit == "V" else _PHASES if unit == "A" else _TOTAL_AND_PHASES
        values = zip(names, value)
    return unit, [
        (phase or where, decimal(number, scale))
        for where, number in values
        # Voltage.L1 is the phase to neutral voltage, reported as L1-N.
        if number is not None and (phase is None or where in (phase, phase + "-N"))
    ]
