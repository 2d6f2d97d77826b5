"""Measurands: what a meter reading says about each of them, as SampledValue elements (OCPP 1.6 §7.31, §7.43).

A list of measurands, as in MeterValuesSampledData, may name one phase only: `Current.Import.L1` (§9.1.17). Without a
phase, all phases that the meter has are reported (§3.16.3). Values are decimal text made from integers, exact to the
meter's last digit and never rounded: 16000 mA is "16.0", 15999 mA is "15.999".
"""

from micropython import const

# Power.Offered is computed with the nominal voltage, as limits in watts are (OCPP 1.6 §3.13.1).
_NOMINAL_V = const(230)

_PHASES = ("L1", "L2", "L3")
_TO_NEUTRAL = ("L1-N", "L2-N", "L3-N")

# The journal's words for the occasion of a sample -> ReadingContext (OCPP 1.6 §7.36)
CONTEXTS = {
    "begin": "Transaction.Begin",
    "end": "Transaction.End",
    "periodic": "Sample.Periodic",
    "clock": "Sample.Clock",
    "trigger": "Trigger",
    "interruption.begin": "Interruption.Begin",
    "interruption.end": "Interruption.End",
}


class Look:
    """What there is to report at one moment: a Reading, the offered current in mA, and the register before it in Wh.

    `offered_ma` and `previous_wh` are None where nobody knows them.
    """

    def __init__(self, reading, offered_ma=None, previous_wh=None):
        self.reading = reading
        self.offered_ma = offered_ma
        self.previous_wh = previous_wh


def decimal(value, scale):
    """Returns value / 10**scale exactly, with at least one digit behind the point: (16000, 3) -> "16.0"."""
    digits = str(abs(value))
    digits = "0" * (scale + 1 - len(digits)) + digits
    return ("-" if value < 0 else "") + digits[:-scale] + "." + (digits[-scale:].rstrip("0") or "0")


def _whole(value):
    return () if value is None else ((None, str(value)),)


def _by_phase(values, phases, scale):
    """Returns (phase, text) of each phase that has a value."""
    if not values:
        return ()
    return tuple((phases[i], decimal(values[i], scale)) for i in range(len(values)) if values[i] is not None)


def _interval(look):
    energy_wh = look.reading.energy_wh
    if energy_wh is None or look.previous_wh is None:
        return ()
    return _whole(max(0, energy_wh - look.previous_wh))


def _power(look, sign):
    """Returns the total and the phases of the power in one direction, W; the other direction counts as 0."""
    reading = look.reading
    if reading.power_w is None or (sign < 0 and reading.export_wh is None):
        return ()
    powers = reading.powers_w or ()
    total = _whole(max(0, sign * reading.power_w))
    if len(powers) < 2:
        return total
    return total + tuple(
        (_PHASES[i], str(max(0, sign * powers[i]))) for i in range(len(powers)) if powers[i] is not None
    )


def _power_offered(look):
    if look.offered_ma is None:
        return ()
    phases = len(look.reading.currents_ma or (0,))
    return _whole(look.offered_ma * _NOMINAL_V * phases // 1000)


def _scaled(value, scale):
    return () if value is None else ((None, decimal(value, scale)),)


# name -> (unit, function of a Look that returns (phase or None, text) for each value). Frequency has no unit in 1.6: it
# is in hertz (errata 3.86). The schemas spell the Celsius of stations "Celcius" (OCPP-J errata 2.1 keeps it so).
_TABLE = {
    "Energy.Active.Import.Register": ("Wh", lambda look: _whole(look.reading.energy_wh)),
    "Energy.Active.Export.Register": ("Wh", lambda look: _whole(look.reading.export_wh)),
    "Energy.Active.Import.Interval": ("Wh", _interval),
    "Power.Active.Import": ("W", lambda look: _power(look, 1)),
    "Power.Active.Export": ("W", lambda look: _power(look, -1)),
    "Power.Offered": ("W", _power_offered),
    "Current.Import": ("A", lambda look: _by_phase(look.reading.currents_ma, _PHASES, 3)),
    "Current.Offered": ("A", lambda look: _scaled(look.offered_ma, 3)),
    "Voltage": ("V", lambda look: _by_phase(look.reading.voltages_mv, _TO_NEUTRAL, 3)),
    "Frequency": (None, lambda look: _scaled(look.reading.frequency_mhz, 3)),
    "Temperature": ("Celcius", lambda look: _scaled(look.reading.temperature_dc, 1)),
}

INTERVAL = "Energy.Active.Import.Interval"


def resolve(item):
    """Returns (measurand, phase or None) of one item of a list, in any case. Raises ValueError for an unknown one."""
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
    if item in _TABLE:
        return item
    lower = item.lower()
    for name in _TABLE:
        if name.lower() == lower:
            return name
    return None


def is_fitted(item, reading):
    """Tells whether a station whose meter gives readings like this one can report an item. Raises ValueError."""
    name, phase = resolve(item)
    return bool(_values(name, phase, Look(reading, 0, 0)))


def sampled_values(items, context, look):
    """Returns the SampledValue elements of a list of measurands; what the meter has not is left out.

    `context` is one of the keys of CONTEXTS.
    """
    result = []
    for item in items:
        try:
            name, phase = resolve(item)
        except ValueError:
            continue  # a factory value, which is taken verbatim
        unit = _TABLE[name][0]
        for where, text in _values(name, phase, look):
            value = {"value": text, "context": CONTEXTS[context], "measurand": name}
            if unit:
                value["unit"] = unit
            if where:
                value["phase"] = where
            result.append(value)
    return result


def _values(name, phase, look):
    """Returns (phase, text) pairs of one measurand, of one phase only where the list names it."""
    values = _TABLE[name][1](look)
    if phase is None:
        return values
    # Voltage.L1 means the phase to neutral voltage that is reported as L1-N.
    return tuple((phase, text) for where, text in values if where in (phase, phase + "-N"))
