# Eastron SDM630 on a Modbus RTU line. MIT license.
"""A byte-exact Modbus RTU server (Modbus over Serial Line V1.02) with the input registers of Eastron SDM630 meters.

One unit id for each connector, from 1. A frame ends with silence; a wrong CRC or a foreign unit is not answered.
"""

import struct

from micropython import const

_READ_HOLDING = const(3)
_READ_INPUT = const(4)
_ILLEGAL_FUNCTION = const(1)
_ILLEGAL_ADDRESS = const(2)
_ILLEGAL_VALUE = const(3)

_MAX_REGISTERS = const(80)  # the meter's own limit, below the protocol's 125
_LAST_REGISTER = const(0x0181)
_MAX_FRAME = const(256)
_SILENCE_MS = const(4)
_TURNAROUND_MS = const(15)

_HERTZ = const(50)
_UJ_PER_WH = 3_600_000_000


def crc16(data):
    """Returns the Modbus CRC of `data`; it goes out low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class MeterBus:
    """The server side of the meter line; unit n shows the meter of `outlets[n - 1]`."""

    def __init__(self, line, timeline, outlets, on_read=None):
        self._line = line
        self._timeline = timeline
        self._outlets = outlets
        self._on_read = on_read  # called after an answer has gone out: what it said is known outside
        self._frame = bytearray()
        self._frames = 0
        line.on_write = self._written

    def _written(self, data):
        self._frame.extend(data[: _MAX_FRAME + 1 - len(self._frame)])
        self._frames += 1
        delay_ms = self._line.duration_ms(len(data)) + _SILENCE_MS
        self._timeline.after(delay_ms, self._silence, self._frames)

    def _silence(self, count):
        if count != self._frames:
            return  # more bytes came in between
        answer = self.answer(bytes(self._frame))
        self._frame = bytearray()
        if not answer:
            return
        # The answer comes in two pieces, as a UART delivers it: no reader may take a piece for the whole.
        half = len(answer) // 2
        first_ms = _TURNAROUND_MS + self._line.duration_ms(half)
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
        if outlet.meter_silent:
            return None
        if function not in (_READ_INPUT, _READ_HOLDING):
            return self._exception(unit, function, _ILLEGAL_FUNCTION)
        if len(frame) != 8:
            return None
        address, count = struct.unpack(">HH", frame[2:6])
        if not 1 <= count <= _MAX_REGISTERS:
            return self._exception(unit, function, _ILLEGAL_VALUE)
        if address + count > _LAST_REGISTER + 1 or function == _READ_HOLDING:
            return self._exception(unit, function, _ILLEGAL_ADDRESS)
        data = registers(outlet, address, count)
        if self._on_read:
            self._on_read(outlet)
        return self._sealed(bytes((unit, function, len(data))) + data)

    def _exception(self, unit, function, code):
        return self._sealed(bytes((unit, function | 0x80, code)))

    def _sealed(self, frame):
        return frame + struct.pack("<H", crc16(frame))


def registers(outlet, address, count):
    """Returns `count` input registers from `address` as bytes; parameters that are not modelled read 0."""
    currents, millivolts, microjoules = outlet.meter_values()
    values = {0x46: float(_HERTZ), 0x48: microjoules // _UJ_PER_WH / 1000}  # the meter counts whole Wh
    total = 0.0
    for phase in range(outlet.phases):
        watts = currents[phase] * millivolts / 1_000_000
        total += watts
        values[phase * 2] = millivolts / 1000
        values[6 + phase * 2] = currents[phase] / 1000
        values[12 + phase * 2] = watts
    values[0x34] = total
    # A parameter is a float in two registers; a request may begin or end in the middle of one.
    first = address & ~1
    last = (address + count + 1) & ~1
    data = bytearray()
    for register in range(first, last, 2):
        data.extend(struct.pack(">f", values.get(register, 0.0)))
    start = (address - first) * 2
    return bytes(data[start : start + count * 2])
