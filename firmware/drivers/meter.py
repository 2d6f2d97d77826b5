"""Energy meter on a Modbus line: reads the registers of its model and gives one Reading in integers.

No float is computed: those of the ESP32 have 24 bits, too few for the Wh of a meter that has counted for years.
"""

from micropython import const
from modbus_rtu import ModbusError

from firmware.drivers.meter_models import FIELDS, INPUT, MODELS, PER_PHASE, WORDS
from firmware.kernel.reading import Reading

# "Illegal function", "illegal data address", "illegal data value": this variant of the meter lacks these registers.
_NOT_THERE = (1, 2, 3)

# A bit pattern that would mean more than 2 ** 40 of any unit is no measurement.
_MOST_BITS = const(40)
_MOST_FACTOR = const(10)  # of SunSpec: they are powers of ten from -10 to 10


class Meter:
    """One meter on a modbus_rtu.RtuMaster. `model` is a name in MODELS or a Model. Another name: ValueError."""

    def __init__(self, master, unit=1, model="sdm630"):
        if isinstance(model, str):
            if model not in MODELS:
                raise ValueError(f"unknown meter {model}")
            model = MODELS[model]
        self._model = model
        self._unit = unit
        self._read = master.read_input if model.function == INPUT else master.read_holding
        self._requests = plan(model)

    async def read(self):
        """Returns a Reading. What the meter lacks is None. Raises ModbusError (an OSError) when it gives no energy."""
        values = {}
        for address, count, names in self._requests:
            try:
                block = await self._read(self._unit, address, count)
            except ModbusError as exc:
                if exc.code not in _NOT_THERE or "energy_wh" in names:
                    raise
                continue
            for name in names:
                values[name] = self._field(name, block, address)
        return Reading(**values)

    def _field(self, name, block, address):
        """Returns the value of one field of Reading from the registers of `block`, which begins at `address`."""
        register, decimals, kind, factor_register = _layout(self._model, name)
        exponent = FIELDS[name] - decimals
        if factor_register is not None:
            factor = _decode("int16", block, factor_register - address, False, 0)
            if factor is None or not -_MOST_FACTOR <= factor <= _MOST_FACTOR:
                return None
            exponent += factor
        step = WORDS[kind]
        values = [
            _decode(kind, block, register - address + i * step, self._model.low_first, exponent)
            for i in range(self._count(name))
        ]
        if name not in PER_PHASE:
            return values[0]
        if values[0] is None:
            return None
        if name == "currents_ma":
            # A meter wired the wrong way round: what flows must not pass for nothing. The powers keep the direction.
            values = [None if value is None else abs(value) for value in values]
        # A three-phase meter on one phase says "not a number" for the other two.
        return (values[0],) if None in values else tuple(values)

    def _count(self, name):
        return self._model.phases if name in PER_PHASE else 1


def _layout(model, name):
    """Returns (register, decimals, kind, register of the scale factor or None) of a field."""
    layout = model.fields[name]
    kind = layout[2] if len(layout) > 2 else model.kind
    return layout[0], layout[1], kind, layout[3] if len(layout) > 3 else None


def plan(model):
    """Returns the requests that read a model's fields, as (address, count of registers, names of the fields)."""
    spans = []
    for name in model.fields:
        register, _, kind, factor_register = _layout(model, name)
        end = register + WORDS[kind] * (model.phases if name in PER_PHASE else 1)
        if factor_register is not None:
            end = max(end, factor_register + 1)
        spans.append((register, end, name))
    requests = []
    for start, end, name in sorted(spans):
        if requests:
            first, count, names = requests[-1]
            if start <= first + count + model.bridge and end - first <= model.longest:
                requests[-1] = (first, max(count, end - first), names + (name,))
                continue
        requests.append((start, end - start, (name,)))
    return requests


def _decode(kind, block, index, low_first, exponent):
    """Returns the number at register `index` of `block` times 10 ** exponent, rounded, or None when it is none."""
    words = [block[2 * i] << 8 | block[2 * i + 1] for i in range(index, index + WORDS[kind])]
    if low_first:
        words.reverse()
    bits = 0
    for word in words:
        bits = bits << 16 | word
    if kind == "float32":
        return float32_scaled(bits, exponent)
    size = 16 * len(words)
    if kind == "uint64":
        return _scaled(bits, 1, exponent) if bits != (1 << size) - 1 else None
    most = (1 << (size - 1)) - 1
    if bits == most + 1 or (bits == most and size > 16):  # "not implemented" of SunSpec and of ABB
        return None
    return _scaled(bits, 1, exponent) if bits <= most else -_scaled((1 << size) - bits, 1, exponent)


def float32_scaled(bits, exponent):
    """Returns an IEEE 754 single, given as its 32 bits, times 10 ** exponent as the nearest integer.

    None for NaN, infinity and numbers that nothing measures.
    """
    power = (bits >> 23) & 0xFF
    mantissa = bits & 0x7FFFFF
    if power == 0:
        return 0  # a subnormal number is less than any meter resolves
    power -= 150
    if power + 24 > _MOST_BITS:
        return None
    mantissa |= 0x800000
    if power >= 0:
        value = _scaled(mantissa << power, 1, exponent)
    else:
        value = _scaled(mantissa, 1 << -power, exponent)
    return -value if bits >> 31 else value


def _scaled(number, divisor, exponent):
    """Returns number / divisor * 10 ** exponent, rounded half up; number >= 0."""
    if exponent >= 0:
        number *= 10**exponent
    else:
        divisor *= 10**-exponent
    return (2 * number + divisor) // (2 * divisor)
