"""Energy meter on a Modbus line: reads the registers of its model and converts them to a Reading in integers.

No floats: those of the ESP32 have 24 bits, too few for the Wh of a meter that has counted for years.
"""

from micropython import const
from modbus_rtu import ModbusError, RtuMaster

from firmware.kernel.reading import Reading

WORDS = {"int16": 1, "float32": 2, "int32": 2, "uint64": 4}  # kind of number: registers

# "Illegal function", "illegal data address", "illegal data value": this meter does not have these registers.
_NOT_THERE = (1, 2, 3)

# Values above 2 ** 40 of any unit are not measurements.
_MOST_BITS = const(40)
_MOST_FACTOR = const(10)  # SunSpec scale factors are powers of ten from -10 to 10


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
        """Returns a Reading; fields that the meter lacks are None. Raises ModbusError (OSError) without the energy."""
        reading = Reading()
        for address, count, fields in self._requests:
            try:
                block = await self._read(self._unit, address, count)
            except ModbusError as exc:
                if exc.code not in _NOT_THERE or "energy_wh" in [field[0] for field in fields]:
                    raise
                continue
            for name, kind, index, phases, exponent, factor_index in fields:
                if factor_index is not None:
                    factor = _decode("int16", block, factor_index, False, 0)
                    if factor is None or not -_MOST_FACTOR <= factor <= _MOST_FACTOR:
                        continue
                    exponent += factor
                if phases:
                    value = self._by_phase(block, name, kind, index, phases, exponent)
                else:
                    value = _decode(kind, block, index, self._low_first, exponent)
                setattr(reading, name, value)
        return reading

    def _by_phase(self, block, name, kind, index, phases, exponent):
        """Returns the tuple of one field of Reading for all phases, None where the meter has no value for it."""
        values = []
        for i in range(phases):
            value = _decode(kind, block, index + i * WORDS[kind], self._low_first, exponent)
            if value is None:
                # A three-phase meter on one phase sends NaN for the other two.
                return tuple(values[:1]) or None
            # Negative in a meter wired the wrong way round. The absolute value counts; the powers keep the direction.
            values.append(abs(value) if name == "currents_ma" else value)
        return tuple(values)


def _resolution_wh(requests):
    """Returns the step of the energy register in Wh, from its decimals; that of a float depends on its value."""
    for _, _, fields in requests:
        for name, kind, _, _, exponent, _ in fields:
            if name == "energy_wh" and kind != "float32" and exponent > 0:
                return 10**exponent
    return 1


def _decode(kind, block, index, low_first, exponent):
    """Returns the number at register `index` of `block` times 10 ** exponent, rounded; None when it is invalid."""
    words = WORDS[kind]
    bits = 0
    for i in range(words):
        at = 2 * (index + (words - 1 - i if low_first else i))
        bits = bits << 16 | block[at] << 8 | block[at + 1]
    if kind == "float32":
        return float32_scaled(bits, exponent)
    size = 16 * words
    if kind == "uint64":
        return _scaled(bits, 1, exponent) if bits != (1 << size) - 1 else None
    most = (1 << (size - 1)) - 1
    if bits == most + 1 or (bits == most and size > 16):  # "not implemented" in SunSpec and ABB meters
        return None
    return _scaled(bits, 1, exponent) if bits <= most else -_scaled((1 << size) - bits, 1, exponent)


def float32_scaled(bits, exponent):
    """Returns an IEEE 754 single, given as its 32 bits, times 10 ** exponent, rounded to an integer.

    None for NaN, infinity and implausible numbers.
    """
    power = (bits >> 23) & 0xFF
    mantissa = bits & 0x7FFFFF
    if power == 0:
        return 0  # a subnormal number is below any resolution
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
