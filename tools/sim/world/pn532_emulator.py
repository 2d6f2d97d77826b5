# PN532 NFC controller on a high speed UART. MIT license.
"""Emulator of a PN532 on its HSU interface: wake-up, frames with checksums, ACK and NACK, a card in its field."""

from micropython import const

ACK = b"\x00\x00\xff\x00\xff\x00"
NACK = b"\x00\x00\xff\xff\x00\x00"
ERROR = b"\x00\x00\xff\x01\xff\x7f\x81\x00"

_TO_CHIP = const(0xD4)
_FROM_CHIP = const(0xD5)
_GET_FIRMWARE_VERSION = const(0x02)
_SAM_CONFIGURATION = const(0x14)
_RF_CONFIGURATION = const(0x32)
_IN_LIST_PASSIVE_TARGET = const(0x4A)
_IN_RELEASE = const(0x52)
_MAX_RETRIES = const(5)  # configuration item of RFConfiguration
_ENDLESS = const(0xFF)

_MAX_BUFFER = const(300)
_PROCESSING_MS = const(2)
_ATTEMPT_MS = const(6)  # one activation attempt in the field
_CHIP = b"\x32\x01\x06\x07"  # IC, version, revision, support: a PN532
_OTHER_CHIP = b"\x33\x02\x07\x07"

# SENS_RES and SEL_RES of MIFARE Classic, Ultralight and a card with a triple-size id.
_CARD_KIND = {4: b"\x00\x04\x08", 7: b"\x00\x44\x00", 10: b"\x00\x84\x20"}


def frame(data):
    """Returns a normal information frame from the chip around `data` (without TFI)."""
    length = len(data) + 1
    head = bytes((0, 0, 0xFF, length, -length & 0xFF, _FROM_CHIP))
    return head + data + bytes((-(_FROM_CHIP + sum(data)) & 0xFF, 0))


class Pn532:
    """The chip; `field` (field.Field) has the presented card. A dead chip receives and sends nothing.

    `state` is one of meter.STATES: "incompatible" is another chip, one that is "faulted" acknowledges nothing, and one
    that is "misconfigured" talks at another speed.
    """

    def __init__(self, line, timeline, field):
        self._line = line
        self._timeline = timeline
        self._buffer = bytearray()
        self._awake = False
        self._retries = _ENDLESS
        self._field = field
        field.arrived.append(self._card_arrived)
        self._listing = 0  # number of the pending InListPassiveTarget, or 0
        self._commands = 0
        self._last = ACK
        self.dead = False
        self.state = "ok"
        line.on_write = self._written

    def exchange(self, state):
        """Replaces the chip by one in this state, which has not been woken up."""
        self.state = state
        self._awake = False

    @property
    def _silent(self):
        return self.dead or self.state in ("not_present", "timeout")

    def _card_arrived(self):
        if self._listing:
            self._timeline.after(_ATTEMPT_MS, self._found, self._listing)

    def _written(self, data):
        if self._silent:
            return
        if self.state == "misconfigured":
            self._line.send(bytes((byte * 5 + 0x81 & 0xFF for byte in data)))
            return
        if b"\x55" in data:
            self._awake = True
        self._buffer.extend(data[: _MAX_BUFFER - len(self._buffer)])
        while self._parse():
            pass

    def _parse(self):
        """Takes one frame from the buffer; returns False when it has none."""
        buffer = self._buffer
        start = bytes(buffer).find(b"\x00\xff")
        if start < 0:
            # Wake-up bytes and noise; the last one may be the first of a start code.
            self._buffer = buffer[-1:]
            return False
        if len(buffer) < start + 4:
            return False
        length, checksum = buffer[start + 2], buffer[start + 3]
        if length == 0 and checksum == 0xFF:  # ACK from the host: abort
            self._listing = 0
            end = start + 5
        elif length == 0xFF and checksum == 0:  # NACK: once more
            self._send(self._last)
            end = start + 5
        elif (length + checksum) & 0xFF or not length:
            end = start + 2  # not a frame after all
        else:
            end = start + 6 + length
            if len(buffer) < end:
                return False
            body = bytes(buffer[start + 4 : end - 1])
            if sum(body) & 0xFF == 0 and body[0] == _TO_CHIP and self._awake:
                self._command(body[1], body[2:-1])
            else:
                self._send(NACK if self._awake else b"")
        self._buffer = buffer[end:]
        return True

    def _command(self, code, data):
        if self.state == "faulted":
            self._send(NACK)
            return
        self._send(ACK)
        self._listing = 0
        self._commands += 1
        answer = ERROR
        if code == _GET_FIRMWARE_VERSION:
            answer = frame(b"\x03" + (_OTHER_CHIP if self.state == "incompatible" else _CHIP))
        elif code == _SAM_CONFIGURATION and data[:1] == b"\x01":
            answer = frame(b"\x15")
        elif code == _RF_CONFIGURATION and data:
            if data[0] == _MAX_RETRIES and len(data) == 4:
                self._retries = data[3]
            answer = frame(b"\x33")
        elif code == _IN_RELEASE and data:
            answer = frame(b"\x53\x00")
        elif code == _IN_LIST_PASSIVE_TARGET and data[:2] == b"\x01\x00":
            self._list()
            return
        self._answer_later(answer)

    def _list(self):
        self._listing = self._commands
        if self._field.uid:
            self._timeline.after(_ATTEMPT_MS, self._found, self._listing)
        else:
            self._try_again()

    def _try_again(self):
        if self._retries != _ENDLESS:
            self._timeline.after((self._retries + 1) * _ATTEMPT_MS, self._not_found, self._listing)

    def _found(self, listing):
        uid = self._field.uid
        if listing != self._listing:
            return
        if not uid or len(uid) not in _CARD_KIND:  # it left during the attempt: others follow
            self._try_again()
            return
        self._listing = 0
        target = b"\x4b\x01\x01" + _CARD_KIND[len(uid)] + bytes((len(uid),)) + uid
        self._answer_later(frame(target))

    def _not_found(self, listing):
        if listing == self._listing:
            self._listing = 0
            self._answer_later(frame(b"\x4b\x00"))

    def _answer_later(self, answer):
        self._last = answer
        self._timeline.after(_PROCESSING_MS + self._line.duration_ms(len(answer)), self._send, answer)

    def _send(self, data):
        if not self._silent and data:
            self._line.send(data)
