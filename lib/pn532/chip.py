# PN532 commands. MIT license.
"""PN532 commands (UM0701-02 §6.2.2: command, ACK, response): wake-up, configuration, finding a card."""

import sys

from micropython import const

from pn532.frame import ACK, DATA, ERROR_FRAME, IS_ACK, IS_NACK, Inbox, encode

if sys.implementation.name == "micropython":
    from asyncio import core, sleep_ms  # type: ignore[attr-defined]

    def _since_ms(start):
        return core.ticks_diff(core.ticks(), start)

    def _now_ms():
        return core.ticks()

else:
    from asyncio import sleep
    from time import monotonic  # type: ignore[attr-defined]

    def sleep_ms(ms):  # type: ignore[no-redef]
        return sleep(ms / 1000)

    def _now_ms():
        return int(monotonic() * 1000)

    def _since_ms(start):
        return _now_ms() - start


_GET_FIRMWARE_VERSION = const(0x02)
_SAM_CONFIGURATION = const(0x14)
_RF_CONFIGURATION = const(0x32)
_IN_LIST_PASSIVE_TARGET = const(0x4A)

_MAX_RETRIES = const(5)  # configuration item of RFConfiguration
_TYPE_A = const(0)  # 106 kbit/s ISO 14443 type A
_UID_LENGTHS = (4, 7, 10)

# UM0701-02 §7.2.11: 55 wakes the chip; the zeros give its oscillator time to start.
_WAKE_UP = b"\x55\x55" + bytes(14)
_FIND = encode(bytes((_IN_LIST_PASSIVE_TARGET, 1, _TYPE_A)))

_ANSWER_TIMEOUT_MS = const(600)  # 100 for the ACK
_LOOK_MS = const(5)
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
    """The chip at the UART `port`: write(data), and readinto(buffer), which does not wait (machine.UART, timeout=0).

    One command at a time: start() or find_target() is awaited, or begin_find() is called and then look() until it is
    True, and then target(). All raise PN532Error. The latter two allocate nothing while there is no card. A command
    that is cancelled or times out is aborted in the chip; the next one works normally.

    heard   bytes have arrived since the last command (invalid answer, not silence)
    """

    def __init__(self, port):
        self._port = port
        self._inbox = Inbox()
        self._code = 0  # of the command that runs, 0: none
        self._begun_ms = self._timeout_ms = 0
        self._received = 0
        self._acknowledged = False
        self.heard = False

    async def start(self, retries=2):
        """Wakes the chip and sets the number of `retries` (0..254) when no card is found.

        Returns the version (IC, version, revision, supported functions) as four bytes; IC is 0x32.
        """
        self._port.write(_WAKE_UP)
        # Normal mode: virtual card time-out (20 x 50 ms, unused), IRQ pin in use.
        await self.command(_SAM_CONFIGURATION, b"\x01\x14\x01")
        version = await self.command(_GET_FIRMWARE_VERSION)
        if len(version) != 4:
            raise PN532Error(f"firmware version of {len(version)} bytes")
        await self.command(_RF_CONFIGURATION, bytes((_MAX_RETRIES, 0xFF, 0x01, retries)))
        return version

    async def find_target(self):
        """Returns the Target in the field, or None. A card that stays is found each time; of several only one."""
        self.begin_find()
        await self._await_answer()
        return self.target()

    async def command(self, code, data=b"", timeout_ms=_ANSWER_TIMEOUT_MS):
        """Sends one command and returns the data of its response."""
        self._begin(code, encode(bytes((code,)) + data), timeout_ms)
        await self._await_answer()
        return self._inbox.data()

    async def _await_answer(self):
        try:
            while not self.look():
                await sleep_ms(_LOOK_MS)
        finally:
            self.abort()

    # Without waiting

    def begin_find(self):
        """Has the chip look for a card."""
        self._begin(_IN_LIST_PASSIVE_TARGET, _FIND, _ANSWER_TIMEOUT_MS)

    def look(self):
        """Takes what has arrived; returns True when the answer is complete. Raises PN532Error, also when the time for
        the answer is over."""
        inbox = self._inbox
        while True:
            kind = inbox.next()
            if kind is None:
                count = inbox.read(self._port)
                if not count:
                    break
                self.heard = True
                self._received += count
                if self._received > _MAX_NOISE:
                    self._fail("nothing but noise on the line")
            elif kind == IS_ACK:
                self._acknowledged = True
            elif not self._acknowledged:
                pass  # frames before the ACK belong to an aborted command
            elif kind == IS_NACK or kind == ERROR_FRAME:
                self._fail("refused")
            elif kind == DATA and inbox.code == self._code + 1:
                self._code = 0
                return True
        if _since_ms(self._begun_ms) >= self._timeout_ms:
            self._fail("no answer")
        return False

    def target(self):
        """Returns the Target of the complete answer to begin_find() (§7.3.5), None when it lists no card."""
        inbox = self._inbox
        if inbox.length == 0:
            raise PN532Error("empty list of targets")
        if inbox[0] == 0:
            return None
        data = inbox.data()
        length = data[5] if len(data) > 5 else 0
        uid = data[6 : 6 + length]
        if length not in _UID_LENGTHS or len(uid) != length:
            raise PN532Error("target without a valid UID")
        return Target(uid, data[2:4], data[4])

    def abort(self):
        """Ends a command that is not answered yet (§6.2.1.3: an ACK from the host)."""
        if self._code:
            self._code = 0
            self._port.write(ACK)

    def _begin(self, code, frame, timeout_ms):
        self.heard = self._acknowledged = False
        self._received = 0
        self._timeout_ms = timeout_ms
        self._begun_ms = _now_ms()
        self._code = code
        self._port.write(frame)

    def _fail(self, why):
        code = self._code
        self.abort()
        raise PN532Error(f"command {code:02X}: {why}")
