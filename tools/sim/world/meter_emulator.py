# Energy meters on a Modbus RTU line. MIT license.
"""Emulator of Modbus RTU energy meters: the Eastron SDM630, or any other of firmware/drivers/meter_models.txt.

One unit id for each connector, from 1. A frame ends with silence; a wrong CRC or a foreign unit is not answered.
"""

import struct

from micropython import const

_READ_HOLDING = const(3)
_READ_INPUT = const(4)
_ILLEGAL_FUNCTION = const(1)
_ILLEGAL_ADDRESS = const(2)
_ILLEGAL_VALUE = const(3)
_DEVICE_FAILURE = const(4)

_MAX_FRAME = const(256)
_MOST_REGISTERS = const(125)  # the protocol's limit; a meter may have a lower one
_SILENCE_MS = const(4)
_TURNAROUND_MS = const(15)

_HERTZ_1000 = const(50_000)
_UJ_PER_WH = 3_600_000_000

# Field of a map: (values, power of ten from the unit of the field to that of the meter's number).
_FIELDS = {
    "voltages_mv": (3, -3),
    "currents_ma": (3, -3),
    "powers_w": (3, 0),
    "power_w": (1, 0),
    "frequency_mhz": (1, -3),
    "energy_wh": (1, -3),
    "export_wh": (1, -3),
}
_WORDS = {"int16": 1, "float32": 2, "int32": 2, "uint64": 4}
_NAN = b"\x7f\xc0\x00\x00"

_MODELS = __file__.rpartition("tools/sim/")[0] + "firmware/drivers/meter_models.txt"
_SDM630 = (
    "input float32 3 longest=80 last=0x181 voltages_mv=0x00 currents_ma=0x06 powers_w=0x0C power_w=0x34 "
    "frequency_mhz=0x46 energy_wh=0x48 export_wh=0x4A"
)


def crc16(data):
    """Returns the Modbus CRC of `data`; it goes out low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def load_map(model):
    """Returns the Map of a model. Raises ValueError for an unknown name."""
    if model == "sdm630":
        return Map(_SDM630.split())
    try:
        with open(_MODELS) as file:
            for line in file:
                names, _, words = line.partition(" ")
                if line[0] not in "#\n" and model in names.split(","):
                    return Map(words.split())
    except OSError:
        pass
    raise ValueError("unknown meter: %s" % model)


class Map:
    """A register map from the words of its line. Registers between the fields are 0."""

    def __init__(self, words):
        self.function = _READ_HOLDING if words[0] == "holding" else _READ_INPUT
        self._kind = words[1]
        self._phases = int(words[2])
        self._low_first = False
        self.longest = _MOST_REGISTERS
        self._fields = []  # (name, register, decimals, kind, register of a scale factor or None)
        self._last = 0
        for word in words[3:]:
            name, _, value = word.partition("=")
            if word == "low-first":
                self._low_first = True
            elif name == "longest":
                self.longest = int(value)
            elif name == "last":
                self._last = max(self._last, int(value, 0))
            elif name in _FIELDS:
                self._add(name, value.split(":"))

    def _add(self, name, parts):
        register = int(parts[0], 0)
        kind = parts[2] if len(parts) > 2 else self._kind
        factor = int(parts[3]) if len(parts) > 3 else None
        self._fields.append((name, register, int(parts[1]) if len(parts) > 1 else 0, kind, factor))
        self._last = max(self._last, register + _WORDS[kind] * self._values(name) - 1, factor or 0)

    def _values(self, name):
        return min(_FIELDS[name][0], self._phases)

    def has(self, address, count):
        return address + count <= self._last + 1

    def read(self, shown, blind, address, count):
        """Returns `count` registers from `address` as bytes, for a meter.Shown; `blind`: without currents."""
        data = bytearray(2 * count)
        for name, register, decimals, kind, _ in self._fields:
            size = 2 * _WORDS[kind]
            for index in range(self._values(name)):
                at = 2 * (register - address) + index * size
                if -size < at < len(data):
                    if blind and name == "currents_ma":
                        encoded = _NAN if kind == "float32" else b"\x80" + bytes(size - 1)
                    else:
                        encoded = self._encode(_value(shown, name, index), _FIELDS[name][1] + decimals, kind)
                    for offset in range(max(0, at), min(len(data), at + size)):
                        data[offset] = encoded[offset - at]
        return bytes(data)

    def _encode(self, value, exponent, kind):
        """Returns `value` times 10 ** exponent as the bytes of its registers."""
        if kind == "float32":
            return struct.pack(">f", value / 10**-exponent if exponent < 0 else float(value * 10**exponent))
        number = int(value * 10**exponent if exponent >= 0 else value // 10**-exponent)
        size = 2 * _WORDS[kind]
        number &= (1 << 8 * size) - 1
        words = [number >> 16 * index & 0xFFFF for index in range(_WORDS[kind])]
        if not self._low_first:
            words.reverse()
        return b"".join([struct.pack(">H", word) for word in words])


def _value(shown, name, index):
    """Returns a value in the unit of its field. Powers keep their fraction, in an SDM630 they have one."""
    if name == "voltages_mv":
        return shown.voltages_mv[index]
    if name == "currents_ma":
        return shown.currents_ma[index]
    if name == "powers_w":
        return _watts(shown.powers_mw[index])
    if name == "power_w":
        return _watts(sum(shown.powers_mw))
    if name == "frequency_mhz":
        return _HERTZ_1000
    return (shown.imported_uj if name == "energy_wh" else shown.exported_uj) // _UJ_PER_WH  # whole Wh


def _watts(milliwatts):
    return milliwatts // 1000 if milliwatts % 1000 == 0 else milliwatts / 1000


class MeterBus:
    """The server side of the meter line; unit n shows the meter of `outlets[n - 1]`."""

    def __init__(self, line, timeline, outlets, on_read=None, turnaround_ms=_TURNAROUND_MS):
        self._line = line
        self._turnaround_ms = turnaround_ms
        self._timeline = timeline
        self._outlets = outlets
        self._on_read = on_read  # called after an answer was sent
        self._maps = {}  # model: Map
        self._frame = bytearray()
        self._frames = 0
        self._answers = 0
        line.on_write = self._written

    def _written(self, data):
        self._frame.extend(data[: _MAX_FRAME + 1 - len(self._frame)])
        self._frames += 1
        delay_ms = self._line.duration_ms(len(data)) + _SILENCE_MS
        self._timeline.after(delay_ms, self._silence, self._frames)

    def _silence(self, count):
        if count != self._frames:
            return  # more bytes were received meanwhile
        frame = bytes(self._frame)
        self._frame = bytearray()
        answer = self.answer(frame)
        if not answer:
            return
        meter = self._outlets[frame[0] - 1].meter
        self._answers += 1
        if meter.garble and self._answers % meter.garble == 0:
            answer = bytes((answer[0], answer[1] ^ 0x55)) + answer[2:]
        # The answer is sent in two pieces, as by a UART: a reader must not take a piece as the whole.
        half = len(answer) // 2
        first_ms = self._turnaround_ms + meter.delay_ms + self._line.duration_ms(half)
        self._timeline.after(first_ms, self._line.send, answer[:half])
        self._timeline.after(first_ms + self._line.duration_ms(len(answer) - half), self._line.send, answer[half:])

    def answer(self, frame):
        """Returns the answer to a request frame, or None for silence."""
        if len(frame) < 4 or len(frame) > _MAX_FRAME or crc16(frame):
            return None
        unit, function = frame[0], frame[1]
        if not 1 <= unit <= len(self._outlets):
            return None
        outlet = self._outlets[unit - 1]
        meter = outlet.meter
        if meter.silent or meter.state in ("not_present", "timeout"):
            return None
        if meter.state == "misconfigured":
            # At another baud rate its bytes are received as different ones, and some are lost.
            return bytes((byte * 5 + 0x81 & 0xFF for byte in frame))
        if meter.state == "faulted" or meter.exception:
            return self._exception(unit, function, meter.exception or _DEVICE_FAILURE)
        if function not in (_READ_INPUT, _READ_HOLDING):
            return self._exception(unit, function, _ILLEGAL_FUNCTION)
        if len(frame) != 8:
            return None
        registers = self._map(meter.model)
        address, count = struct.unpack(">HH", frame[2:6])
        if not 1 <= count <= registers.longest:
            return self._exception(unit, function, _ILLEGAL_VALUE)
        known = function == registers.function and registers.has(address, count)
        if not known or meter.state == "incompatible":
            return self._exception(unit, function, _ILLEGAL_ADDRESS)
        data = registers.read(outlet.meter_shows(), meter.blind, address, count)
        if self._on_read:
            self._on_read(outlet)
        return self._sealed(bytes((unit, function, len(data))) + data)

    def _map(self, model):
        if model not in self._maps:
            self._maps[model] = load_map(model)
        return self._maps[model]

    def _exception(self, unit, function, code):
        return self._sealed(bytes((unit, function | 0x80, code)))

    def _sealed(self, frame):
        return frame + struct.pack("<H", crc16(frame))
