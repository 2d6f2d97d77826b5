# PN532 NFC reader over its high speed UART, for asyncio. MIT license.
"""PN532 card reader (NXP UM0701-02): finds ISO 14443 type A cards on any asyncio byte stream.

>>> uart = machine.UART(2, 115_200, tx=38, rx=39, timeout=0)
>>> reader = pn532.PN532(asyncio.StreamReader(uart))
>>> await reader.start()
>>> target = await reader.find_target()
>>> target and target.uid.hex()
"""

from pn532.chip import PN532, PN532Error, Target
from pn532.frame import ACK, NACK, Scanner, encode

__all__ = ("ACK", "NACK", "PN532", "PN532Error", "Scanner", "Target", "encode")
