"""The parts of the WebSocket client that need no socket. Sections are those of RFC 6455."""

import asyncio

import uwebsockets.handshake as handshake
from harness import raises, settle
from uwebsockets import WebSocket, frame, quote, utf8
from uwebsockets.errors import ConnectionClosed, HandshakeError, ProtocolError
from uwebsockets.transport import Transport
from uwebsockets.url import parse


def parts(text):
    url = parse(text)
    return url.secure, url.host, url.port, url.target, url.authority


def test_urls_are_taken_apart():
    assert parts("ws://host") == (False, "host", 80, "/", "host")
    assert parts("WSS://host/a/b?c=d") == (True, "host", 443, "/a/b?c=d", "host")
    assert parts("ws://10.0.0.1:8080?x") == (False, "10.0.0.1", 8080, "/?x", "10.0.0.1:8080")
    assert parts("ws://host:80/%20") == (False, "host", 80, "/%20", "host")
    assert parts("wss://[fe80::1]:8443/x") == (True, "fe80::1", 8443, "/x", "[fe80::1]:8443")
    assert parts("ws://[::1]") == (False, "::1", 80, "/", "[::1]")


def test_urls_that_cannot_be_meant_are_refused():
    for text in (
        "",
        "host",
        "http://host/",
        "ws:/host",
        "ws://",
        "ws:///path",
        "ws://:80/",
        "ws://user@host/",
        "ws://user:password@host/",
        "ws://host/#fragment",
        "ws://host/a b",
        "ws://host/\r\nX: y",
        "ws://h\xf6st/",
        "ws://host:0/",
        "ws://host:65536/",
        "ws://host:-1/",
        "ws://host:8o/",
        "ws://[::1/",
        "ws://[host]/",
        "ws://[::1]x/",
        "ws://a:b:c/",
        'ws://"/',
    ):
        with raises(ValueError):
            parse(text)


def test_quote_encodes_what_a_path_segment_cannot_have():
    assert quote("CP_1-a.b~9") == "CP_1-a.b~9"
    assert quote("RDAM 123") == "RDAM%20123"  # the example of OCPP-J 1.6 §3.1.1
    assert quote("a/b?c#d%") == "a%2Fb%3Fc%23d%25"
    assert quote("\xf6\u20ac") == "%C3%B6%E2%82%AC"


def test_accept_of_the_rfc():
    assert handshake.accept_for("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # §1.3


def test_headers_cannot_smuggle_headers():
    url = parse("ws://host/")
    for headers in ({"A": "b\r\nC: d"}, {"A\r\nB": "c"}, [("A B", "c")], {"": "x"}, {"A": "\x7f"}):
        with raises(ValueError):
            handshake.request(url, "key", headers=headers)
    with raises(ValueError):
        handshake.request(url, "key", subprotocols=("a, b",))
    assert b"\r\nA: b\r\nA: c\r\n\r\n" in handshake.request(url, "key", headers=[("A", "b"), ("A", "c")])


def test_status_of_a_refusal_is_kept():
    with raises(HandshakeError) as caught:
        handshake.check_response(b"HTTP/1.1 404 Not Found\r\nX: y", "key")
    assert caught.value.status == 404
    assert isinstance(caught.value, OSError)


def answer_in(pieces):
    """Returns (head, rest) once the server's answer is complete, None when it never is."""
    reader = handshake.ResponseReader()
    found = None
    for piece in pieces:
        assert found is None
        found = reader.feed(piece)
    return found


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket"


def test_interim_answers_are_read_over():
    # O4: RFC 9110 15.2, a client must read over 1xx answers before the final one, even those it did not ask for
    final = SWITCHING + b"\r\n\r\n"
    for interim in (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100\r\nX: y\r\n\r\n",
    ):
        data = interim + final + b"\x81\x00"
        assert answer_in([data]) == (SWITCHING, b"\x81\x00")
        assert answer_in([interim, final]) == (SWITCHING, b"")
        pieces = [data[at : at + 1] for at in range(len(interim) + len(final))]
        assert answer_in(pieces) == (SWITCHING, b"")
        assert answer_in([interim]) is None
    for other in (b"HTTP/1.1 404 Not Found", b"HTTP/1.1 1000 X", b"HTTP/1.0 100 Continue", b"ICY 100 OK", b""):
        assert answer_in([other + b"\r\n\r\nrest"]) == (other, b"rest")


def test_interim_answers_have_a_limit():
    # O4: neither many small nor few large ones keep the handshake going
    reader = handshake.ResponseReader()
    with raises(HandshakeError):
        for _ in range(100):
            reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
    for data in (b"HTTP/1.1 103 Early Hints\r\n" + b"x" * 9000, b"HTTP/1.1 200 OK\r\nA: " + b"x" * 9000 + b"\r\n\r\n"):
        reader = handshake.ResponseReader()
        with raises(HandshakeError):
            for at in range(0, len(data), 1000):
                reader.feed(data[at : at + 1000])
    reader = handshake.ResponseReader()
    with raises(HandshakeError):
        for _ in range(4):
            reader.feed(b"HTTP/1.1 103 Early Hints\r\nA: " + b"x" * 3000 + b"\r\n\r\n")


def test_masking_at_the_borders_of_its_pieces():
    key = b"\x01\x80\xff\x00"
    for size in (0, 1, 3, 4, 5, 255, 256, 257, 511, 512, 513, 1000):
        data = bytes(i * 7 & 255 for i in range(size))
        out = bytearray(2) + data
        frame.mask(out, key, 2)
        assert bytes(out[2:]) == bytes(byte ^ key[i & 3] for i, byte in enumerate(data))
        assert out[:2] == b"\x00\x00"


def test_a_frame_comes_in_pieces_that_are_one_frame():
    """§5.2. A long message is not held twice, and masking it holds nobody up; the peer sees no difference."""
    key = b"\x01\x80\xff\x00"
    for text in ("", "short", "\u20ac" * 1000, "x" * 70_000):
        pieces = list(frame.encode(frame.TEXT, text, key))
        assert max([len(piece) for piece in pieces]) <= 1024 + 14
        whole = bytearray(b"".join(pieces))
        payload = text.encode()
        out = bytearray(payload)
        frame.mask(out, key, 0)
        header = len(whole) - len(payload)
        assert whole[header:] == out and whole[header - 4 : header] == key
        whole[1] ^= 0x80
        decoder = frame.Decoder(100_000)
        decoder.feed(bytes(whole[: header - 4]) + payload)  # as a server would send it
        assert decoder.next() == (frame.TEXT, text)


def test_a_message_is_made_while_it_is_sent():
    """Whatever the lengths of its pieces; an empty one is no end."""
    key = b"\x01\x80\xff\x00"
    texts = ("a", "", "\u20ac", "xy" * 700, "z")
    text = "".join(texts)
    size = len(text.encode())
    pieces = list(frame.encode_pieces(frame.TEXT, size, texts, key))
    assert [len(piece) > 0 for piece in pieces] == [True, False, True, True, True]
    assert b"".join(pieces) == b"".join(frame.encode(frame.TEXT, text, key))
    for announced in (size - 1, size + 1):
        with raises(ValueError):
            list(frame.encode_pieces(frame.TEXT, announced, texts, key))


def test_close_reason_is_cut_between_characters():
    payload = frame.encode_close(1000, "\u20ac" * 50)
    assert payload == b"\x03\xe8" + "\u20ac".encode() * 41
    assert frame.decode_close(payload) == (1000, "\u20ac" * 41)


def test_empty_close_has_no_code():
    assert frame.decode_close(b"") == (1005, "")


def test_utf8_in_pieces_finds_the_error_where_it_is():
    # (pieces, index of the piece that is refused)
    for pieces, index in (
        ((b"\xed", b"\xa0"), 1),
        ((b"\xf4", b"\x90"), 1),
        ((b"\xf4\x90",), 0),
        ((b"\xe0\x9f",), 0),
        ((b"a\xff",), 0),
        ((b"\xe1\x80", b"a"), 1),
        ((b"\xf0\x9f", b"\x98", b"\x80", b"\x80"), 3),
        ((b"\xc0",), 0),
    ):
        checker = utf8.Utf8()
        for piece in pieces[:index]:
            checker.feed(piece, False)
        with raises(ProtocolError):
            checker.feed(pieces[index], False)


def test_utf8_must_not_end_inside_a_character():
    checker = utf8.Utf8()
    checker.feed(b"\xe2\x82", False)
    with raises(ProtocolError) as caught:
        checker.feed(b"", True)
    assert caught.value.code == 1007


# -- the open connection


class Link:
    """A Transport whose other side is the test: it takes a frame whenever `room` is set."""

    def __init__(self):
        self.frames = []
        self.room = asyncio.Event()
        self.inbox = []
        self.news = asyncio.Event()

    async def write(self, pieces):
        self.frames.append(b"".join(pieces)[0] & 15)
        await self.room.wait()

    async def read(self):
        while not self.inbox:
            self.news.clear()
            await self.news.wait()
        return self.inbox.pop(0)

    async def close(self):
        pass

    def put(self, data):
        self.inbox.append(data)
        self.news.set()


async def outcome(coroutine):
    try:
        return await coroutine
    except ConnectionClosed as exc:
        return exc


async def test_nothing_follows_a_close_frame():
    """§5.5.1, §5.5.2: neither messages that wait for their turn nor the answer to a ping."""
    link = Link()
    ws = WebSocket(link, None, b"", frame.Decoder(1000))
    receiving = asyncio.create_task(ws.recv())
    first = asyncio.create_task(outcome(ws.send("first")))
    await settle()
    link.put(b"\x89\x00")
    waiting = [asyncio.create_task(outcome(ws.send("late"))) for _ in range(3)]
    await settle()
    closing = asyncio.create_task(ws.close())
    await settle()
    waiting.append(asyncio.create_task(outcome(ws.send("later"))))
    await settle()
    link.room.set()
    await settle()
    assert await first is None
    for task in waiting:
        assert type(await task) is ConnectionClosed
    assert link.frames == [frame.TEXT, frame.CLOSE]
    link.put(b"\x88\x02\x03\xe8")
    link.put(b"")
    await closing
    assert await receiving is None and ws.close_code == 1000


class FullWriter:
    """A stream that has taken half a frame when there is no memory for the rest."""

    out_buf = b""
    asked = 0

    def write(self, data):
        self.asked += 1
        raise MemoryError("memory allocation failed")


class HalfWriter:
    """A stream that takes one piece and then waits for its reader."""

    def __init__(self):
        self.taken = []
        self.room = asyncio.Event()
        self.out_buf = b""

    def write(self, data):
        self.taken.append(bytes(data))

    async def drain(self):
        await self.room.wait()


async def test_a_frame_goes_whole_though_its_sender_is_cancelled():
    writer = HalfWriter()
    link = Transport(None, writer)
    sender = asyncio.create_task(outcome(link.write((b"one ", b"two ", b"three"))))
    await settle()
    sender.cancel()
    next_one = asyncio.create_task(outcome(link.write((b", four",))))
    await settle()
    assert writer.taken == [b"one "]
    writer.room.set()
    await next_one
    assert b"".join(writer.taken) == b"one two three, four"


async def test_half_a_frame_is_the_last_thing_sent():
    writer = FullWriter()
    link = Transport(None, writer)
    for _ in range(2):
        with raises(OSError) as caught:
            await link.write((b"frame",))
        assert "memory" in str(caught.value)
    assert writer.asked == 1
