# Modbus RTU: writing registers. MIT license.
"""The functions that change holding registers, for those who need them: most masters only read."""

from micropython import const

from modbus_rtu.master import begin

_WRITE_SINGLE = const(6)
_WRITE_MULTIPLE = const(16)

_MAX_WRITE = const(123)  # registers in one request (Modbus Application Protocol V1.1b3 §6.12)


async def write_single(master, unit, address, value):
    """Writes one holding register, value 0..65535, over an RtuMaster. Raises ModbusError."""
    body = begin(unit, _WRITE_SINGLE, address, value)
    await master.request(body, body, len(body) + 2)


async def write_multiple(master, unit, address, data):
    """Writes the holding registers from `address` on with `data`, two bytes a register. Raises ModbusError."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError("registers are written as bytes, not " + type(data).__name__)
    count = len(data) // 2
    if not 1 <= count <= _MAX_WRITE or len(data) % 2:
        raise ValueError(f"{len(data)} bytes to write")
    head = begin(unit, _WRITE_MULTIPLE, address, count)
    await master.request(head + bytes((len(data),)) + data, head, len(head) + 2)
