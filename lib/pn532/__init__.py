# PN532 NFC reader over its high speed UART, for asyncio. MIT license.
"""PN532 card reader (NXP UM0701-02): finds ISO 14443 type A cards at a UART, without garbage while there is none.

>>> uart = machine.UART(2, 115_200, tx=38, rx=39, timeout=0)
>>> reader = pn532.PN532(uart)
>>> await reader.start()
>>> target = await reader.find_target()
>>> target and target.uid.hex()
"""

from pn532.chip import PN532, PN532Error, Target
from pn532.frame import ACK, NACK, Inbox, encode

__all__ = ("ACK", "NACK", "PN532", "Inbox", "PN532Error", "Target", "encode")
