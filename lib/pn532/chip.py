# PN532 commands. MIT license.
"""PN532 commands (UM0701-02 §6.2.2: command, ACK, response): wake-up, configuration, finding a card."""

import asyncio

from micropython import const

from pn532.frame import ACK, ERROR, FROM_CHIP, NACK, Scanner, encode

_GET_FIRMWARE_VERSION = const(0x02)
_SAM_CONFIGURATION = const(0x14)
_RF_CONFIGURATION = const(0x32)
_IN_LIST_PASSIVE_TARGET = const(0x4A)

_MAX_RETRIES = const(5)  # configuration item of RFConfiguration
_TYPE_A = const(0)  # 106 kbit/s ISO 14443 type A
_UID_LENGTHS = (4, 7, 10)

# UM0701-02 §7.2.11: 55 wakes the chip; the zeros give its oscillator time to start.
_WAKE_UP = b"\x55\x55" + bytes(14)

_ACK_TIMEOUT_MS = const(100)
_ANSWER_TIMEOUT_MS = const(500)
_CHUNK = const(64)
_MAX_NOISE = const(4096)


class PN532Error(OSError):
    """The chip does not answer, or sends an invalid answer."""


class Target:
    """A card in the field: `uid` (4, 7 or 10 bytes), `atqa` (SENS_RES) and `sak` (SEL_RES), which identify its type
    (NXP AN10833)."""

    def __init__(self, uid, atqa, sak):
        self.uid = uid
        self.atqa = atqa
        self.sak = sak


class PN532:
    """The chip connected to `stream` (read(n), write(data), drain()). One task at a time may use it.

    A call that is cancelled or times out aborts the command in the chip; the next call works normally. All calls raise
    PN532Error. `heard`: bytes have arrived since the last command (invalid answer, not silence).
    """

    def __init__(self, stream):
        self._stream = stream
        self._scanner = Scanner()
        self.heard = False

    async def start(self, retries=2):
        """Wakes the chip and sets the number of `retries` (0..254) when no card is found.

        Returns the version (IC, version, revision, supported functions) as four bytes; IC is 0x32.
        """
        self._stream.write(_WAKE_UP)
        # Normal mode: virtual card time-out (20 x 50 ms, unused), IRQ pin in use.
        await self.command(_SAM_CONFIGURATION, b"\x01\x14\x01")
        version = await self.command(_GET_FIRMWARE_VERSION)
        if len(version) != 4:
            raise PN532Error(f"firmware version of {len(version)} bytes")
        await self.command(_RF_CONFIGURATION, bytes((_MAX_RETRIES, 0xFF, 0x01, retries)))
        return version

    async def find_target(self):
        """Returns the Target in the field, or None. A card that stays is found each time; of several only one."""
        return parse_target(await self.command(_IN_LIST_PASSIVE_TARGET, bytes((1, _TYPE_A))))

    async def command(self, code, data=b"", timeout_ms=_ANSWER_TIMEOUT_MS):
        """Sends one command and returns the data of its response."""
        frame = encode(bytes((code,)) + data)
        finished = self.heard = False
        try:
            self._stream.write(frame)
            await self._stream.drain()
            try:
                answer = await asyncio.wait_for(self._exchange(code), (_ACK_TIMEOUT_MS + timeout_ms) / 1000)
            except asyncio.TimeoutError:
                raise PN532Error(f"no answer to command {code:02X}")
            finished = True
            return answer
        finally:
            if not finished:
                self._stream.write(ACK)  # §6.2.1.3: an ACK from the host aborts the command

    async def _exchange(self, code):
        """Waits for ACK and response. Frames before the ACK belong to an aborted command and are ignored."""
        acknowledged = False
        received = 0
        while received < _MAX_NOISE:
            data = await self._stream.read(_CHUNK)
            if not data:
                raise PN532Error("the line is closed")
            received += len(data)
            self.heard = True
            for frame in self._scanner.feed(data):
                if frame == ACK:
                    acknowledged = True
                elif acknowledged:
                    if frame == NACK or frame[0] == ERROR:
                        raise PN532Error(f"command {code:02X} refused")
                    if frame[0] == FROM_CHIP and frame[1:2] == bytes((code + 1,)):
                        return frame[2:]
        raise PN532Error("nothing but noise on the line")


def parse_target(answer):
    """Returns the Target of an InListPassiveTarget response (§7.3.5), None when it lists no card."""
    if not answer:
        raise PN532Error("empty list of targets")
    if answer[0] == 0:
        return None
    length = answer[5] if len(answer) > 5 else 0
    uid = answer[6 : 6 + length]
    if length not in _UID_LENGTHS or len(uid) != length:
        raise PN532Error("target without a valid UID")
    return Target(uid, answer[2:4], answer[4])
