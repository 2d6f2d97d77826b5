"""RFID card reader task (PN532, EM4100): reports each card once with its UID, restarts a failed reader."""

from em4100 import Receiver
from micropython import const
from pn532 import PN532

from firmware.kernel.clock import sleep_ms
from firmware.kernel.signal import Signal

# A card is looked for five times a second; the reader has 40 ms for its answer, which takes 25.
_ANSWER_MS = const(40)
_POLL_MS = const(200)
_EM4100_POLL_MS = const(400)  # some readers repeat the tag twice a second only
_RETRY_MS = const(1000)  # wait before a failed reader is restarted
_LOST_AFTER = const(3)  # failures in a row: a single disturbed frame is not reported
_PN532 = const(0x32)  # IC in the version of the chip
_AWAY_AFTER = const(3)  # polls without the card before it is reported again: cards flicker at the edge of the field


WAITING = object()  # there is no answer yet


class Reader:
    """Reports cards of one reader. While there is none it allocates nothing.

    source   async start() (re)initialises the reader; begin() has it look for a card, and found() returns the id of the
             card as bytes, None without a card, WAITING while there is no answer. All raise OSError; `trouble` is then
             "FAULTED" (invalid answer), "INCOMPATIBLE" (another kind of reader), or None (no answer). See Pn532Source,
             Em4100Source.
    reverse, shorten   the form of the id tokens that are reported, see uid_text
    card     Signal(token): a card was presented
    health   Signal(ok, trouble): the reader is lost (False) or back (True); `trouble` is that of the source, or without
             answer "TIMEOUT", "NOT_PRESENT" if it never answered
    """

    def __init__(self, source, poll_ms=_POLL_MS, sleep_ms=sleep_ms):
        self._source = source
        self.reverse = False
        self.shorten = True
        self._poll_ms = poll_ms
        self._sleep_ms = sleep_ms
        self.card = Signal()
        self.health = Signal()
        self.ok = None  # None until the reader has answered or is reported lost for the first time
        self._shown = None
        self._absent = 0
        self._failures = 0

    async def run(self, beat):
        """Polls the reader for ever; calls beat() at least every two seconds."""
        while True:
            beat()
            try:
                source = self._source
                await source.start()
                while True:
                    beat()
                    source.begin()
                    await self._sleep_ms(_ANSWER_MS)
                    found = source.found()
                    while found is WAITING:
                        await self._sleep_ms(_ANSWER_MS)
                        found = source.found()
                    self._see(found)
                    self._report(True)
                    await self._sleep_ms(self._poll_ms - _ANSWER_MS)
            except OSError:
                self._failures += 1
                if self._failures >= _LOST_AFTER:
                    silent = "NOT_PRESENT" if self.ok is None else "TIMEOUT"
                    self._report(False, self._source.trouble or silent)
            beat()
            await self._sleep_ms(_RETRY_MS if self.ok is False else self._poll_ms)

    def _see(self, uid):
        self._failures = 0
        if uid is None:
            self._absent += 1
            if self._absent >= _AWAY_AFTER:
                self._shown = None
            return
        self._absent = 0
        if uid != self._shown:
            self._shown = uid
            self.card.emit(uid_text(uid, self.reverse, self.shorten))

    def _report(self, ok, trouble=None):
        if ok != self.ok:
            self.ok = ok
            self.health.emit(ok, trouble)


class Pn532Source:
    """Cards of a pn532.PN532."""

    def __init__(self, chip):
        self._chip = chip
        self._other = False

    @property
    def trouble(self):
        return "INCOMPATIBLE" if self._other else "FAULTED" if self._chip.heard else None

    async def start(self):
        self._other = False
        version = await self._chip.start()
        if version[0] != _PN532:
            self._other = True
            raise OSError("chip %02X" % version[0])

    def begin(self):
        self._chip.begin_find()

    def found(self):
        if not self._chip.look():
            return WAITING
        target = self._chip.target()
        return target.uid if target else None


class Em4100Source:
    """Tags of a reader that repeats their frames by itself: em4100.Receiver."""

    trouble = None  # it only fails when the line is closed; a damaged frame may be a tag at the edge of the field

    def __init__(self, receiver):
        self._receiver = receiver

    async def start(self):
        """Does nothing: such a reader accepts no commands and only shows itself when it sends a tag."""

    def begin(self):
        pass

    def found(self):
        return self._receiver.look()


def uid_text(uid, reverse=False, shorten=True):
    """Returns a card's UID as upper-case hex, the form of id tokens.

    reverse: last byte first, as in the lists of some back-ends. shorten: False pads a UID of four bytes (ISO 14443
    single size) with zeros to the seven of a double size UID.
    """
    if reverse:
        uid = bytes(reversed(uid))
    if not shorten and len(uid) == 4:
        uid += bytes(3)
    return uid.hex().upper()


def reader(kind, port):
    """Returns the Reader of `kind`, "pn532" or "em4100", at a machine.UART that does not wait."""
    if kind == "pn532":
        return Reader(Pn532Source(PN532(port)))
    return Reader(Em4100Source(Receiver(port)), _EM4100_POLL_MS)
