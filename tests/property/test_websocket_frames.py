"""The frame codec against an independent model, whatever the frames and however the stream is cut (RFC 6455 §5)."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from uwebsockets.errors import ProtocolError
from uwebsockets.frame import Decoder, encode

LIMIT = 300

frames = st.tuples(
    st.sampled_from((0, 0, 1, 1, 2, 8, 9, 10, 5)),
    st.booleans(),
    st.one_of(
        st.binary(max_size=20),
        st.text(max_size=8).map(str.encode),
        st.integers(120, 310).map(lambda size: b"x" * size),
    ),
)


def serialise(opcode, fin, payload):
    size = len(payload)
    length = bytes((size,)) if size < 126 else struct.pack("!BH", 126, size)
    return bytes((fin << 7 | opcode,)) + length + payload


def model(sequence):
    """Returns what a server's frames mean, as a list of events; the last one may be the close code of an error."""
    events = []
    opcode, message = 0, b""
    for kind, fin, payload in sequence:
        if kind == 5 or (kind >= 8 and (not fin or len(payload) > 125)):
            return events + [1002]
        if kind >= 8:
            events.append((kind, payload))
            continue
        if (kind == 0) == (opcode == 0):
            return events + [1002]
        opcode = kind or opcode
        message += payload
        if len(message) > LIMIT:
            return events + [1009]
        if opcode == 1 and not prefix_of_text(message, fin):
            return events + [1007]
        if fin:
            events.append((opcode, message.decode() if opcode == 1 else message))
            opcode, message = 0, b""
    return events


def prefix_of_text(data, whole):
    """Tells whether `data` is UTF-8, or can become it by appending something."""
    for tail in (
        (b"",) if whole else (b"", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xa0", b"\xa0\x80", b"\x90\x80\x80")
    ):
        try:
            (data + tail).decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


class Sink:
    """Where a large message goes."""

    def __init__(self, is_text, size):
        self.is_text = is_text
        self.announced = size
        self.data = b""

    def write(self, data):
        self.data += data


pieces = st.lists(st.integers(1, 40), min_size=1, max_size=20)


@given(st.lists(frames, max_size=8), pieces)
def test_any_frames_in_any_pieces(sequence, cuts):
    assert events_of(Decoder(LIMIT), sequence, cuts) == model(sequence)


@given(st.lists(frames, max_size=8), pieces, st.integers(0, 150))
def test_large_messages_mean_the_same_when_they_are_spooled(sequence, cuts, above):
    events = []
    for event in events_of(Decoder(LIMIT, Sink, above), sequence, cuts):
        if isinstance(event, tuple) and isinstance(event[1], Sink):
            opcode, sink = event
            assert above < len(sink.data) and above < sink.announced <= len(sink.data)
            assert sink.is_text == (opcode == 1)
            event = opcode, sink.data.decode() if sink.is_text else sink.data
        elif isinstance(event, tuple) and event[0] < 8:
            assert len(event[1] if event[0] == 2 else event[1].encode()) <= above
        events.append(event)
    assert events == model(sequence)


def events_of(decoder, sequence, cuts):
    stream = b"".join(serialise(*item) for item in sequence)
    events = []
    at = i = 0
    try:
        while True:
            event = decoder.next()
            if event is not None:
                events.append(event)
            elif at < len(stream):
                decoder.feed(stream[at : at + cuts[i % len(cuts)]])
                at, i = at + cuts[i % len(cuts)], i + 1
            else:
                break
    except ProtocolError as exc:
        events.append(exc.code)
    return events


@given(st.binary(max_size=1500), st.binary(min_size=4, max_size=4))
def test_a_server_unmasks_what_we_send(payload, key):
    data = b"".join(encode(2, payload, key))
    at = 2 if len(payload) < 126 else 4
    assert data[0] == 0x82 and data[1] & 0x80
    assert data[at : at + 4] == key
    assert bytes(byte ^ key[i & 3] for i, byte in enumerate(data[at + 4 :])) == payload


@given(st.binary(max_size=60))
def test_garbage_never_raises_anything_else(data):
    decoder = Decoder(20)
    decoder.feed(data)
    try:
        while decoder.next() is not None:
            pass
    except ProtocolError as exc:
        assert exc.code in (1002, 1007, 1009)
