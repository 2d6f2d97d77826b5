"""lib/pn532 above a chip in memory: frames, command exchange, recovery (NXP UM0701-02)."""

import asyncio

from harness import raises
from pn532 import ACK, NACK, PN532, Inbox, PN532Error, encode
from pn532.frame import DATA, ERROR_FRAME, IS_ACK, IS_NACK


def answer(code, data=b""):
    """The frame in which the chip answers command `code`."""
    body = bytes((0xD5, code + 1)) + data
    return b"\x00\x00\xff" + bytes((len(body), -len(body) & 0xFF)) + body + bytes((-sum(body) & 0xFF, 0))


class Chip:
    """A UART with the chip at its end: `script` maps a command code to what comes back, ACK included."""

    def __init__(self, script, waiting=b""):
        self.waiting = waiting
        self.script = script
        self.written = []

    def write(self, data):
        self.written.append(bytes(data))
        if data[:3] == b"\x00\x00\xff" and data[5] == 0xD4:
            self.waiting += self.script.get(data[6], b"")
        return len(data)

    def readinto(self, buffer):
        data = self.waiting[: len(buffer)]
        self.waiting = self.waiting[len(data) :]
        for i in range(len(data)):
            buffer[i] = data[i]
        return len(data) or None


CARD = b"\x01\x01\x00\x04\x08\x04\x04\xa1\xb2\xc3"  # one target, SENS_RES 0004, SEL_RES 08, four bytes of id
GOOD = {
    0x14: ACK + answer(0x14),
    0x02: ACK + answer(0x02, b"\x32\x01\x06\x07"),
    0x32: ACK + answer(0x32),
    0x4A: ACK + answer(0x4A, CARD),
}
FIND = encode(b"\x4a\x01\x00")


def test_known_frames():
    assert encode(b"\x02") == b"\x00\x00\xff\x02\xfe\xd4\x02\x2a\x00"  # the example of UM0701-02 §6.2.1.1
    for size in (0, 255):
        with raises(ValueError):
            encode(bytes(size))


def found(data):
    """Returns what an Inbox finds: kinds, and of answers (code, data)."""
    port = Chip({}, data)
    inbox = Inbox()
    frames = []
    while True:
        kind = inbox.next()
        if kind:
            frames.append((inbox.code, inbox.data()) if kind == DATA else kind)
        elif not inbox.read(port):
            return frames


def test_inbox_tells_frames_apart():
    error = b"\x00\x00\xff\x01\xff\x7f\x81\x00"
    data = ACK + NACK + answer(0x14) + error + answer(0x4A, CARD)
    assert found(data) == [IS_ACK, IS_NACK, (0x15, b""), ERROR_FRAME, (0x4B, CARD)]


async def test_start_wakes_the_chip_up_and_configures_it():
    chip = Chip(GOOD)
    assert await PN532(chip).start(retries=3) == b"\x32\x01\x06\x07"
    assert chip.written[0][:2] == b"\x55\x55"
    assert chip.written[1:] == [encode(b"\x14\x01\x14\x01"), encode(b"\x02"), encode(b"\x32\x05\xff\x01\x03")]


async def test_a_card_is_found_with_id_and_what_tells_its_kind():
    target = await PN532(Chip(GOOD)).find_target()
    assert target.uid == b"\x04\xa1\xb2\xc3"
    assert (target.atqa, target.sak) == (b"\x00\x04", 0x08)


async def test_ids_of_seven_and_ten_bytes():
    for length in (7, 10):
        uid = bytes(range(4, 4 + length))
        found = ACK + answer(0x4A, b"\x01\x01\x00\x44\x20" + bytes((length,)) + uid + b"\x05\x75\x77\x81\x02")
        target = await PN532(Chip({0x4A: found})).find_target()
        assert target.uid == uid
        assert (target.atqa, target.sak) == (b"\x00\x44", 0x20)


async def test_an_empty_field_is_none():
    assert await PN532(Chip({0x4A: ACK + answer(0x4A, b"\x00")})).find_target() is None


async def test_a_target_that_makes_no_sense_is_an_error():
    for data in (b"", b"\x01", b"\x01\x01\x00\x04\x08\x05\x01\x02\x03\x04\x05", b"\x01\x01\x00\x04\x08\x07\x01\x02"):
        with raises(PN532Error):
            await PN532(Chip({0x4A: ACK + answer(0x4A, data)})).find_target()


async def test_a_frame_with_a_wrong_checksum_is_not_believed():
    damaged = bytearray(answer(0x4A, CARD))
    damaged[-3] ^= 1
    chip = Chip({0x4A: ACK + bytes(damaged) + answer(0x4A, b"\x00")})
    assert await PN532(chip).find_target() is None


async def test_what_comes_before_the_ack_answers_an_older_command():
    chip = Chip(GOOD, waiting=answer(0x4A, b"\x00"))
    assert (await PN532(chip).find_target()).uid == b"\x04\xa1\xb2\xc3"


async def test_error_frame_and_nack_are_errors():
    for refusal in (b"\x00\x00\xff\x01\xff\x7f\x81\x00", NACK):
        reader = PN532(Chip({0x4A: ACK + refusal}))
        with raises(PN532Error):
            await reader.find_target()
        assert reader.heard


async def test_a_silent_chip_is_an_error_and_its_command_is_aborted():
    for script in ({}, {0x4A: ACK}, {0x4A: answer(0x4A, CARD)}):
        chip = Chip(script)
        with raises(PN532Error):
            await PN532(chip).command(0x4A, b"\x01\x00", timeout_ms=1)
        assert chip.written == [FIND, ACK]


async def test_a_cancelled_command_is_aborted_and_the_next_one_works():
    chip = Chip({0x4A: ACK})
    reader = PN532(chip)
    search = asyncio.create_task(reader.find_target())
    while not chip.written:
        await asyncio.sleep(0)
    search.cancel()
    try:
        await search
    except asyncio.CancelledError:
        pass
    assert chip.written == [FIND, ACK]
    chip.script = GOOD
    assert (await reader.find_target()).uid == b"\x04\xa1\xb2\xc3"


async def test_endless_noise_is_an_error():
    class Babble(Chip):
        def readinto(self, buffer):
            for i in range(len(buffer)):
                buffer[i] = b"\x00\xff\xfe\x02"[i & 3]
            return len(buffer)

    with raises(PN532Error):
        await PN532(Babble({})).find_target()


async def test_a_port_that_fails_is_an_error():
    class Broken(Chip):
        def readinto(self, buffer):
            raise OSError(5)

    with raises(OSError):
        await PN532(Broken({})).find_target()


def test_a_card_is_found_without_waiting():
    chip = Chip({0x4A: ACK})
    reader = PN532(chip)
    reader.begin_find()
    assert not reader.look() and not reader.look()
    chip.waiting = answer(0x4A, CARD)
    assert reader.look()
    assert reader.target().uid == b"\x04\xa1\xb2\xc3"
    reader.abort()
    assert chip.written == [FIND]  # it was answered: nothing is left to be aborted
