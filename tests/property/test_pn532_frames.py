"""PN532 framing: every frame survives the wire, whatever surrounds it and however it arrives in pieces."""

from hypothesis import given
from hypothesis import strategies as st
from pn532 import ACK, NACK, Inbox, encode
from pn532.frame import DATA, ERROR_FRAME, IS_ACK, IS_NACK

ERROR = b"\x00\x00\xff\x01\xff\x7f\x81\x00"
SHORT = {IS_ACK: ACK, IS_NACK: NACK, ERROR_FRAME: ERROR}
ANSWERS = st.tuples(st.integers(0, 255), st.binary(max_size=253))  # (code, data)
FRAMES = st.one_of(st.sampled_from(sorted(SHORT)), ANSWERS)


def on_the_wire(frame):
    """What the chip sends: an answer is a command with another first byte, so that the checksum falls by one."""
    if frame in SHORT:
        return SHORT[frame]
    sealed = bytearray(encode(bytes((frame[0],)) + frame[1]))
    sealed[5] += 1
    sealed[-2] = (sealed[-2] - 1) & 0xFF
    return bytes(sealed)


class Port:
    """Gives what it is given, in pieces."""

    def __init__(self, data, cuts):
        self.pieces = []
        start = 0
        for end in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
            self.pieces.append(data[start:end])
            start = end

    def readinto(self, buffer):
        while self.pieces and not self.pieces[0]:
            self.pieces.pop(0)
        if not self.pieces:
            return None
        piece = self.pieces[0][: len(buffer)]
        self.pieces[0] = self.pieces[0][len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def feed(inbox, data, cuts):
    found = []
    port = Port(data, cuts)
    while True:
        kind = inbox.next()
        assert inbox.pending <= 260
        if kind == DATA:
            found.append((inbox.code, inbox.data()))
            assert inbox.length == 0 or inbox[inbox.length - 1] == inbox.data()[-1]
        elif kind:
            found.append(kind)
        elif not inbox.read(port):
            return found


CUTS = st.lists(st.integers(0, 3000), max_size=40)


@given(st.binary(min_size=1, max_size=254))
def test_checksums_are_those_of_the_manual(data):
    frame = encode(data)
    assert frame[:3] == b"\x00\x00\xff" and frame[-1] == 0
    assert (frame[3] + frame[4]) % 256 == 0
    assert frame[3] == len(frame) - 7
    assert sum(frame[5:-1]) % 256 == 0


@given(st.lists(FRAMES, max_size=8), CUTS)
def test_frames_arrive_complete_and_in_order(frames, cuts):
    assert feed(Inbox(), b"".join(map(on_the_wire, frames)), cuts) == frames


@given(st.binary(max_size=300).map(lambda noise: noise.replace(b"\xff", b"")), FRAMES, CUTS)
def test_a_frame_is_found_behind_noise(noise, frame, cuts):
    assert feed(Inbox(), noise + on_the_wire(frame), cuts) == [frame]


@given(ANSWERS.filter(lambda answer: len(answer[1]) < 40), st.data())
def test_a_damaged_frame_is_dropped_and_the_next_is_found(answer, draw):
    damaged = bytearray(on_the_wire(answer))
    position = draw.draw(st.integers(5, len(damaged) - 2))
    damaged[position] ^= draw.draw(st.integers(1, 255))
    # A false start inside the damaged frame may announce up to 255 bytes: it is decided when they have come.
    found = feed(Inbox(), bytes(damaged) + ACK + bytes(260), [])
    assert found[-1] == IS_ACK
    assert answer not in found


@given(st.lists(st.sampled_from((b"\x00", b"\xff", b"\x00\xff", b"\x02\xfe", b"\xd5\x4b", b"\x7f"))), CUTS)
def test_noise_never_piles_up(pieces, cuts):
    feed(Inbox(), b"".join(pieces), cuts)
