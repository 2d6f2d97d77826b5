"""PN532 framing: every frame survives the wire, whatever surrounds it and however it arrives in pieces."""

from hypothesis import given
from hypothesis import strategies as st
from pn532 import ACK, NACK, Scanner, encode

FRAMES = st.one_of(st.just(ACK), st.just(NACK), st.binary(min_size=1, max_size=254).map(lambda data: b"\xd4" + data))


def on_the_wire(frame):
    return frame if frame in (ACK, NACK) else encode(frame[1:])


def feed(scanner, data, cuts):
    found, start = [], 0
    for end in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        found += scanner.feed(data[start:end])
        assert scanner.pending <= 260
        start = end
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
    assert feed(Scanner(), b"".join(map(on_the_wire, frames)), cuts) == frames


@given(st.binary(max_size=300).map(lambda noise: noise.replace(b"\xff", b"")), FRAMES, CUTS)
def test_a_frame_is_found_behind_noise(noise, frame, cuts):
    assert feed(Scanner(), noise + on_the_wire(frame), cuts) == [frame]


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_damaged_frame_is_dropped_and_the_next_is_found(data, draw):
    damaged = bytearray(encode(data))
    position = draw.draw(st.integers(5, len(damaged) - 2))
    damaged[position] ^= draw.draw(st.integers(1, 255))
    # A false start inside the damaged frame may announce up to 255 bytes: the scanner decides when they have come.
    found = feed(Scanner(), bytes(damaged) + ACK + bytes(260), [])
    assert found[-1] == ACK
    assert b"\xd4" + data not in found


@given(st.lists(st.sampled_from((b"\x00", b"\xff", b"\x00\xff", b"\x02\xfe", b"\xd5\x4b", b"\x7f"))), CUTS)
def test_noise_never_piles_up(pieces, cuts):
    for frame in feed(Scanner(), b"".join(pieces), cuts):
        assert frame
