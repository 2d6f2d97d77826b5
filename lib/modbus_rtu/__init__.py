# Modbus RTU master for asyncio. MIT license.
"""Modbus RTU master: reads and writes registers over any asyncio byte stream (Modbus over Serial Line V1.02).

>>> uart = machine.UART(1, 9600, tx=17, rx=18, timeout=0)
>>> master = modbus_rtu.RtuMaster(asyncio.StreamReader(uart), baudrate=9600)
>>> registers = await master.read_input(unit=1, address=0x48, count=2)
"""

from modbus_rtu.frame import ReplyFinder, crc16, seal
from modbus_rtu.master import ModbusError, RtuMaster

__all__ = ("ModbusError", "ReplyFinder", "RtuMaster", "crc16", "seal")
