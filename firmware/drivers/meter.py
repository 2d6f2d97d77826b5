"""Energy meter on a Modbus line: reads the registers of its model and gives one Reading in integers.

No float is computed: those of the ESP32 have 24 bits, too few for the Wh of a meter that has counted for years.
"""

from micropython import const
from modbus_rtu import ModbusError, RtuMaster

from firmware.kernel.reading import Reading

WORDS = {"int16": 1, "float32": 2, "int32": 2, "uint64": 4}  # kind of number: registers

# "Illegal function", "illegal data address", "illegal data value": this variant of the meter lacks these registers.
_NOT_THERE = (1, 2, 3)

# A bit pattern that would mean more than 2 ** 40 of any unit is no measurement.
_MOST_BITS = const(40)
_MOST_FACTOR = const(10)  # of SunSpec: they are powers of ten from -10 to 10


def line(stream, baudrate, **options):
    """Returns the Modbus RTU master for the meters on one serial line; `options` are those of modbus_rtu.RtuMaster."""
    return RtuMaster(stream, baudrate, **options)


class Meter:
    """One meter on a modbus_rtu.RtuMaster; `model` is a meter_models.Model. `resolution_wh`: step of its register.

    Its requests() are (address, count of registers, fields), and a field is (name in Reading, kind of number, its index
    among the registers, phases or 0 for a single value, power of ten to the unit of Reading, index of the register with
    a further power of ten or None).
    """

    def __init__(self, master, unit, model):
        self._read = getattr(master, "read_" + model.function)
        self._unit = unit
        self._low_first = model.low_first
        self._requests = model.requests()
        self.resolution_wh = _resolution_wh(self._requests)

    async def read(self):
        """Returns a Reading. What the meter lacks is None. Raises ModbusError (an OSError) when it gives no energy."""
        values = {}
        for address, count, fields in self._requests:
            try:
                block = await self._read(self._unit, address, count)
            except ModbusError as exc:
                if exc.code not in _NOT_THERE or "energy_wh" in [field[0] for field in fields]:
                    raise
                continue
            for field in fields:
                values[field[0]] = self._value(block, *field)
        return Reading(**values)

    def _value(self, block, name, kind, index, phases, exponent, factor_index):
        """Returns the value of one field of Reading from the registers of `block`."""
        if factor_index is not None:
            factor = _decode("int16", block, factor_index, False, 0)
            if factor is None or not -_MOST_FACTOR <= factor <= _MOST_FACTOR:
                return None
            exponent += factor
        step = WORDS[kind]
        values = [_decode(kind, block, index + i * step, self._low_first, exponent) for i in range(phases or 1)]
        if not phases or values[0] is None:
            return values[0]
        if name == "currents_ma":
            # A meter wired the wrong way round: what flows must not pass for nothing. The powers keep the direction.
            values = [None if value is None else abs(value) for value in values]
        # A three-phase meter on one phase says "not a number" for the other two.
        return (values[0],) if None in values else tuple(values)


def _resolution_wh(requests):
    """Returns the step of the energy register by its decimals, Wh; that of a float depends on its value."""
    for _, _, fields in requests:
        for name, kind, _, _, exponent, _ in fields:
            if name == "energy_wh" and kind != "float32" and exponent > 0:
                return 10**exponent
    return 1


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
