"""Modbus RTU framing: whatever surrounds a reply and however it arrives in pieces, it is found, and only it."""

from hypothesis import given
from hypothesis import strategies as st
from modbus_rtu import ReplyFinder, crc16, seal


def crc16_bit_by_bit(data):
    """The checksum as Modbus over Serial Line V1.02 §6.2.2 describes it."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


@given(st.binary(max_size=300))
def test_crc_equals_the_definition(data):
    assert crc16(data) == crc16_bit_by_bit(data)


@given(st.binary(min_size=1, max_size=250), st.integers(0, 251 * 8), st.integers(1, 0xFFFF))
def test_a_burst_of_up_to_sixteen_wrong_bits_is_seen(body, position, burst):
    frame = int.from_bytes(seal(body), "big")
    damaged = frame ^ (burst << min(position, len(body) * 8))
    assert crc16(damaged.to_bytes(len(body) + 2, "big")) != 0


def feed(finder, data, cuts):
    """Feeds `data` cut at the given places; returns the replies found and the largest window kept."""
    found, kept, start = [], 0, 0
    for end in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        reply = finder.feed(data[start:end])
        start = end
        kept = max(kept, finder.pending)
        if reply is not None:
            found.append(reply)
            break
    return found, kept


def finder(head, length):
    found = ReplyFinder()
    found.feed(b"\x01\x03")  # of another request
    found.expect(head, length)
    return found


CUTS = st.lists(st.integers(0, 600), max_size=30)


@given(st.integers(1, 247), st.sampled_from((3, 4)), st.binary(min_size=2, max_size=250), st.binary(max_size=64), CUTS)
def test_a_reply_is_found_behind_any_noise(unit, function, registers, noise, cuts):
    registers = registers[: len(registers) & ~1]
    body = bytes((unit, function, len(registers))) + registers
    # Noise that ends in the beginning of a longer candidate may delay the verdict: the master's time-out ends that.
    noise = bytes(byte for byte in noise if byte != unit)
    found, _ = feed(finder(body[:3], len(body) + 2), noise + seal(body), cuts)
    assert found == [body]


@given(st.integers(1, 247), st.integers(1, 11), st.binary(max_size=64), CUTS)
def test_an_exception_is_found_behind_any_noise(unit, code, noise, cuts):
    noise = bytes(byte for byte in noise if byte != unit)
    found, _ = feed(finder(bytes((unit, 4, 8)), 13), noise + seal(bytes((unit, 0x84, code))), cuts)
    assert found == [bytes((unit, 0x84, code))]


@given(st.lists(st.sampled_from((b"\x01", b"\x04", b"\x84", b"\x04\x01\x04\x08", b"\x00", b"\xff"))), CUTS)
def test_noise_is_never_taken_for_a_reply_and_never_piles_up(pieces, cuts):
    found, kept = feed(finder(b"\x01\x04\x08", 13), b"".join(pieces), cuts)
    for reply in found:
        assert crc16(seal(reply)) == 0 and reply[:1] == b"\x01"
    assert kept < 13
