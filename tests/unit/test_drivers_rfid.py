"""drivers/rfid: a card is reported once, a lost reader is noticed and revived; ids of UART readers for 125 kHz tags."""

import asyncio

from em4100 import Receiver, Scanner, parse
from harness import raises, run

from firmware.drivers.rfid import WAITING, Em4100Source, Pn532Source, Reader, uid_text

A = b"\x04\xa1\xb2\xc3"
B = b"\x04\x11\x22\x33\x44\x55\x66"
ERROR = OSError(5)
NONSENSE = OSError("refused")


class End(Exception):
    """The script of a test is over."""


class Source:
    """A reader that finds one thing of its script after the other."""

    def __init__(self, script):
        self.script = list(script)
        self.starts = 0
        self.trouble = None

    async def start(self):
        self.starts += 1

    def begin(self):
        self.begun = True

    def found(self):
        if not self.script:
            raise End
        assert self.begun
        found = self.script.pop(0)
        if isinstance(found, OSError):
            self.trouble = "FAULTED" if found is NONSENSE else None
            raise found
        if found is not WAITING:
            self.begun = False
        return found


def watch(*script):
    """Returns what a Reader tells about a script, and the source."""
    told = []
    source = Source(script)

    async def sleep(ms):
        await asyncio.sleep(0)

    reader = Reader(source, sleep_ms=sleep)
    reader.card.connect(lambda token: told.append(token))
    reader.health.connect(lambda ok, trouble: told.append(trouble or ok))
    beats = []
    try:
        run(reader.run(lambda: beats.append(1)))
    except End:
        pass
    assert len(beats) >= source.starts
    return told, source


def cards(*script):
    return [what for what in watch(*script)[0] if what is not True]


def test_a_card_left_on_the_reader_is_reported_once():
    assert cards(A, A, A, A) == ["04A1B2C3"]


def test_a_card_that_flickers_is_reported_once():
    assert cards(A, None, A, None, None, A) == ["04A1B2C3"]


def test_a_card_that_was_away_is_reported_again():
    assert cards(A, None, None, None, A) == ["04A1B2C3", "04A1B2C3"]


def test_another_card_is_reported_at_once():
    assert cards(A, B, A) == ["04A1B2C3", "04112233445566", "04A1B2C3"]


def test_an_answer_that_takes_its_time_is_waited_for():
    assert cards(WAITING, A, WAITING, WAITING, None, None, A) == ["04A1B2C3"]


def test_health_is_reported_when_the_reader_first_answers():
    assert watch(None, None)[0] == [True]


def test_one_failure_is_repaired_in_silence():
    told, source = watch(None, ERROR, None)
    assert told == [True]
    assert source.starts == 2


def test_a_lost_reader_is_reported_and_started_again_until_it_is_back():
    told, source = watch(None, ERROR, ERROR, ERROR, ERROR, A)
    assert told == [True, "TIMEOUT", "04A1B2C3", True]
    assert source.starts == 5


def test_a_reader_that_never_answers_is_reported_once():
    assert watch(ERROR, ERROR, ERROR, ERROR, ERROR)[0] == ["NOT_PRESENT"]
    assert watch(*[ERROR] * 3, None, *[ERROR] * 3)[0] == ["NOT_PRESENT", True, "TIMEOUT"]


def test_a_reader_that_answers_wrongly_is_faulted_from_the_begin_or_later():
    assert watch(*[NONSENSE] * 5)[0] == ["FAULTED"]
    assert watch(None, *[NONSENSE] * 3, None)[0] == [True, "FAULTED", True]
    assert watch(None, NONSENSE, NONSENSE, None)[0] == [True]


def test_forms_of_an_id():
    assert uid_text(B) == "04112233445566"
    assert uid_text(A, reverse=True) == "C3B2A104"
    assert uid_text(A) == "04A1B2C3"
    assert uid_text(A, shorten=False) == "04A1B2C3000000"  # matrix C4.10; byte 0 stays first
    assert uid_text(B, shorten=False) == "04112233445566"
    assert uid_text(bytes(5), shorten=False) == "0000000000"  # EM4100


async def test_a_pn532_is_a_source():
    class Chip:
        started = False
        card = None
        heard = False
        version = b"\x32\x01\x06\x07"

        async def start(self):
            self.started = True
            return self.version

        def begin_find(self):
            self.answered = False

        def look(self):
            return self.answered

        def target(self):
            return self.card

    class Target:
        uid = A

    chip = Chip()
    source = Pn532Source(chip)
    await source.start()
    assert chip.started
    source.begin()
    assert source.found() is WAITING
    chip.answered = True
    assert source.found() is None
    chip.card = Target
    assert source.found() == A
    assert source.trouble is None
    chip.heard = True
    assert source.trouble == "FAULTED"
    chip.version = b"\x33\x02\x07\x07"
    with raises(OSError):
        await source.start()
    assert source.trouble == "INCOMPATIBLE"


# 125 kHz: STX, five bytes in hex, their exclusive or in hex, ETX
FRAME = b"\x02" + b"1F00A1B2C3" + b"CF" + b"\x03"
TAG = b"\x1f\x00\xa1\xb2\xc3"


def test_em4100_frame():
    assert parse(FRAME) == TAG
    assert parse(FRAME.replace(b"CF", b"cf")) == TAG


def test_a_damaged_em4100_frame_is_none():
    for damaged in (
        FRAME.replace(b"CF", b"CE"),
        FRAME.replace(b"1F", b"1G"),
        FRAME[:-1] + b"\x04",
        FRAME[:-1],
        b"\x03" + FRAME[1:],
        b"",
    ):
        assert parse(damaged) is None


def test_em4100_frames_are_found_in_noise_and_in_pieces():
    scanner = Scanner()
    found = [scanner.feed(bytes((byte,))) for byte in b"\x00\x02\x02" + FRAME + b"\xff" + FRAME]
    assert [tag for tag in found if tag] == [TAG, TAG]


async def test_an_em4100_reader_is_a_source():
    class Port:
        waiting = b"\x02\x02" + FRAME + FRAME

        def readinto(self, buffer):
            data, self.waiting = self.waiting[: len(buffer)], self.waiting[len(buffer) :]
            for i in range(len(data)):
                buffer[i] = data[i]
            return len(data) or None

    port = Port()
    source = Em4100Source(Receiver(port))
    await source.start()
    source.begin()
    assert source.found() == TAG
    assert source.found() is None
    port.waiting = FRAME[:5]
    assert source.found() is None
    port.waiting = FRAME[5:]
    assert source.found() == TAG
    port.waiting = b"\x00" * 4096  # endless noise must not block the scheduler
    assert source.found() is None and len(port.waiting) > 3000
