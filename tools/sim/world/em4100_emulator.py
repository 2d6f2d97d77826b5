# Reader of 125 kHz tags on a UART. MIT license.
"""Emulator of an EM4100 reader such as the RDM6300: ASCII frames at 9600 8N1, repeated while the tag stays.

It shares the line with the PN532, which has another baud rate; it only sends if the board uses its own.
"""

from micropython import const

BAUD = const(9600)
ID_BYTES = const(5)
_REPEAT_MS = const(100)


def frame(uid):
    """Returns the frame for a tag's five bytes: STX, ten hexadecimal digits, two of checksum, ETX."""
    check = 0
    for byte in uid:
        check ^= byte
    return b"\x02" + (uid + bytes((check,))).hex().upper().encode() + b"\x03"


class Em4100:
    """`field` (field.Field) has the tag in front of it. `state` as that of the Pn532."""

    def __init__(self, line, timeline, field):
        self._line = line
        self._timeline = timeline
        self._field = field
        self._sending = False
        self.dead = False
        self.state = "ok"
        field.arrived.append(self._tag_arrived)

    def exchange(self, state):
        self.state = state

    @property
    def listened_to(self):
        """True when the board uses this reader's baud rate."""
        return self._line.baud == BAUD

    def _tag_arrived(self):
        if not self._sending:
            self._sending = True
            self._repeat()

    def _repeat(self, _=None):
        uid = self._field.uid
        self._sending = bool(uid) and self.listened_to
        if not self._sending:
            return
        if len(uid) == ID_BYTES and not self.dead and self.state == "ok":
            self._line.send(frame(uid))
        self._timeline.after(_REPEAT_MS, self._repeat)
