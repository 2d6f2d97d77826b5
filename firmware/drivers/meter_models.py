"""Register maps of Modbus energy meters: reads them from meter_models.txt or from the setting MeterRegisters.

Only needed to build a meter.Meter.
"""

from micropython import const

from firmware.drivers.meter import WORDS
from firmware.kernel.resources import lines

# Field of Reading: power of ten from the base unit to the unit of the field.
FIELDS = {
    "energy_wh": 3,
    "export_wh": 3,
    "power_w": 0,
    "powers_w": 0,
    "currents_ma": 3,
    "voltages_mv": 3,
    "frequency_mhz": 3,
}
_PER_PHASE = ("powers_w", "currents_ma", "voltages_mv")

_MOST_REGISTERS = const(125)  # in one reply (Modbus Application Protocol V1.1b3 §6.3)
_DATA = "firmware/drivers/meter_models.txt"


class Model:
    """The register map of one meter model, from the words of its line (see meter_models.txt). Raises ValueError.

    function   "input" or "holding"
    kind       of numbers, a key of WORDS
    fields     {field of Reading: (register, decimals, kind, register of the scale factor or None)}
    """

    def __init__(self, words):
        self.function, self.kind, phases = (words + ["", "", ""])[:3]
        if self.function not in ("input", "holding") or self.kind not in WORDS or phases not in ("1", "3"):
            raise ValueError("a register map must begin with input or holding, the kind of numbers, and 1 or 3 phases")
        self.phases = int(phases)
        self.low_first = "low-first" in words
        self.longest = _MOST_REGISTERS
        self.bridge = 0
        self.fields = {}
        for word in words[3:]:
            name, equals, value = word.partition("=")
            if name == "longest":
                self.longest = min(_MOST_REGISTERS, int(value))
            elif name == "bridge":
                self.bridge = int(value)
            elif name in FIELDS and equals:
                self.fields[name] = self._place(value)
            elif word != "low-first":
                raise ValueError("unknown field: %s" % word)
        if "energy_wh" not in self.fields:
            raise ValueError("a register map needs energy_wh")

    def _place(self, text):
        parts = text.split(":")
        register = int(parts[0], 0)
        decimals = int(parts[1]) if len(parts) > 1 else 0
        kind = parts[2] if len(parts) > 2 else self.kind
        factor = int(parts[3]) if len(parts) > 3 else None
        if not 0 <= register <= 65_535 or not -9 <= decimals <= 9 or len(parts) > 4:
            raise ValueError("not a register: %s" % text)
        if kind not in WORDS:
            raise ValueError("unknown kind of number: %s" % kind)
        return register, decimals, kind, factor

    def requests(self):
        """Returns the requests that read all fields, for meter.Meter."""
        spans = []
        for name, (register, _, kind, factor) in self.fields.items():
            end = register + WORDS[kind] * self._values(name)
            spans.append((register, max(end, (factor or 0) + 1), name))
        requests = []
        for start, end, name in sorted(spans):
            if requests:
                first, count, names = requests[-1]
                if start <= first + count + self.bridge and end - first <= self.longest:
                    requests[-1] = (first, max(count, end - first), names + [name])
                    continue
            requests.append((start, end - start, [name]))
        return [(first, count, [self._layout(name, first) for name in names]) for first, count, names in requests]

    def _values(self, name):
        return self.phases if name in _PER_PHASE else 1

    def _layout(self, name, first):
        register, decimals, kind, factor = self.fields[name]
        phases = self.phases if name in _PER_PHASE else 0
        factor = None if factor is None else factor - first
        return name, kind, register - first, phases, FIELDS[name] - decimals, factor


def models():
    """Yields (names, line with the register map) of all supported meters."""
    for line in lines(_DATA):
        names, _, words = line.partition(" ")
        yield names.split(","), words


def model(name):
    """Returns the Model of a meter. Raises ValueError for an unknown name."""
    for names, line in models():
        if name in names:
            return Model(line.split())
    raise ValueError("unknown meter: %s" % name)


def check(setting, text):
    """Raises ValueError for an unknown MeterModel, or MeterRegisters that are not a register map."""
    if setting == "MeterRegisters":
        if text:
            Model(text.split())
    elif text not in ("", "custom"):
        model(text)
