"""The WebSocket client in a real process, on both interpreters, against a peer that allows itself everything.

Sections are those of RFC 6455.
"""

import datetime
import ipaddress
import random
import ssl
import time

import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websocket_peer import BINARY, CLOSE, PING, PONG, TEXT, Client, Peer, Relay, frame, listen, slowly


@pytest.fixture(scope="module", params=["cpython", "micropython"])
def client(request):
    client = Client(request.param)
    yield client
    client.close()


@pytest.fixture(scope="module")
def server():
    listener, port = listen()
    with listener:
        yield listener, "ws://127.0.0.1:%d" % port


def connected(client, server, path="/", do="echo", extra=b"", **job):
    """Returns the Peer of a new connection after its handshake."""
    listener, url = server
    client.start(url=url + path, do=do, **job)
    peer = Peer(listener)
    peer.read_request()
    peer.upgrade(extra)
    return peer


def finish(client, peer, code=b"\x03\xe8"):
    """Closes in good order and returns the client's result."""
    peer.send(frame(CLOSE, code))
    assert peer.read() == (CLOSE, code)
    peer.close()
    return client.result()


# -- opening handshake, §4


def test_request_is_what_the_rfc_asks_for(client, server):
    listener, url = server
    client.start(url=url + "/a%20b?c=d", do="echo", subprotocols=["x", "y"], headers={"Authorization": "Basic YQ=="})
    peer = Peer(listener)
    headers = peer.read_request()
    assert peer.request_line == "GET /a%20b?c=d HTTP/1.1"
    assert headers["host"] == url[5:] and headers["upgrade"] == "websocket" and headers["connection"] == "Upgrade"
    assert headers["sec-websocket-version"] == "13" and headers["sec-websocket-protocol"] == "x, y"
    assert headers["authorization"] == "Basic YQ==" and len(headers["sec-websocket-key"]) == 24
    peer.upgrade(Sec_WebSocket_Protocol="y")
    assert finish(client, peer)["subprotocol"] == "y"


def test_keys_are_fresh(client, server):
    keys = set()
    for _ in range(3):
        peer = connected(client, server)
        keys.add(peer.headers["sec-websocket-key"])
        finish(client, peer)
    assert len(keys) == 3


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "HTTP/1.1 101 Web Socket Protocol Handshake"},
        {"status": "HTTP/1.1 101 "},
        {"status": "HTTP/1.1 101"},
        {"Upgrade": "WebSocket", "Connection": "keep-alive, upgrade"},
        {"Server": "caf\xe9", "Set-Cookie": "a=b"},
        {"X-Long": "x" * 7000},
        {"X-Folded": "a\r\n b: c\r\n\t d", "Connection": "keep-alive,\r\n\tUpgrade"},
    ],
    ids=str,
)
def test_handshakes_that_are_good(client, server, answer):
    listener, url = server
    client.start(url=url, do="echo")
    peer = Peer(listener)
    peer.read_request()
    peer.upgrade(**answer)
    assert finish(client, peer)["error"] is None


def test_interim_answers_come_first(client, server):
    # O4: RFC 9110 15.2
    listener, url = server
    client.start(url=url, do="echo")
    peer = Peer(listener)
    peer.read_request()
    peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1")
    time.sleep(0.1)
    peer.send(b" 102 Processing\r\n\r\n")
    peer.upgrade()
    assert finish(client, peer)["error"] is None


def test_header_names_in_any_case_and_byte_by_byte(client, server):
    listener, url = server
    client.start(url=url, do="echo")
    peer = Peer(listener)
    peer.read_request()
    text = "HTTP/1.1 101 x\r\nUPGRADE:websocket\r\nconnection:  Upgrade \r\nsec-websocket-accept: %s\r\n\r\n"
    slowly(peer, (text % peer.accept_key()).encode() + frame(TEXT, b"early"))
    assert peer.read() == (TEXT, "early")  # a frame in the same packet as the header is not lost
    assert finish(client, peer)["received"] == ["early"]


@pytest.mark.parametrize(
    "status, answer",
    [
        (404, {"status": "HTTP/1.1 404 Not Found"}),
        (401, {"status": "HTTP/1.1 401 Unauthorized"}),
        (302, {"status": "HTTP/1.1 302 Found", "Location": "ws://127.0.0.1/"}),
        (200, {"status": "HTTP/1.1 200 OK"}),
        (None, {"status": "HTTP/1.0 100 Continue"}),
        (None, {"status": "HTTP/1.0 101 Switching Protocols"}),
        (None, {"status": "SSH-2.0-OpenSSH_9.2"}),
        (None, {"status": "HTTP/1.1 1010 x"}),
        (101, {"Upgrade": "h2c"}),
        (101, {"Upgrade": None}),
        (101, {"Connection": "keep-alive"}),
        (101, {"Connection": None}),
        (101, {"Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}),
        (101, {"Sec-WebSocket-Accept": None}),
        (101, {"Sec-WebSocket-Protocol": "unasked"}),
        (101, {"Sec-WebSocket-Extensions": "permessage-deflate"}),
        (101, {"Sec-WebSocket-Accept ": "x"}),
        (101, {"no colon\r\nA": "b"}),
        (None, {"X": "x" * 9000}),
    ],
    ids=str,
)
def test_handshakes_that_are_not(client, server, status, answer):
    listener, url = server
    client.start(url=url, do="echo", subprotocols=["asked"])
    peer = Peer(listener)
    peer.read_request()
    peer.upgrade(**answer)
    result = client.result()
    assert result["error"] == "HandshakeError" and result["os_error"] and result["status"] == status
    assert peer.at_end()


def test_a_header_that_counts_must_not_come_twice(client, server):
    listener, url = server
    client.start(url=url, do="echo", subprotocols=["a", "b"])
    peer = Peer(listener)
    peer.read_request()
    peer.upgrade(**{"Sec-WebSocket-Protocol": "a", "sec-websocket-protocol": "b"})
    assert client.result()["error"] == "HandshakeError"


def test_server_that_closes_instead_of_answering(client, server):
    listener, url = server
    client.start(url=url, do="echo")
    Peer(listener).close()
    assert client.result()["os_error"]


def test_server_that_never_answers(client, server):
    listener, url = server
    client.start(url=url, do="echo", timeout_s=0.2)
    peer = Peer(listener)
    assert "no connection within" in client.result()["text"]
    peer.read_request()
    assert peer.at_end()


def test_names_may_be_looked_up_by_the_caller(client, server):
    listener, url = server
    client.start(url=url.replace("127.0.0.1", "back-end.invalid"), do="echo", resolve=True)
    peer = Peer(listener)
    assert peer.read_request()["host"].startswith("back-end.invalid:")
    peer.upgrade()
    assert finish(client, peer)["error"] is None


def test_nobody_listens(client):
    listener, port = listen()
    listener.close()
    client.start(url="ws://127.0.0.1:%d/" % port, do="echo")
    assert client.result()["os_error"]


# -- messages and fragments, §5


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 255, 256, 257, 65535, 65536])
def test_echo_at_the_borders_of_length_and_masking(client, server, size):
    peer = connected(client, server)
    data = random.Random(size).randbytes(size)
    peer.send(frame(BINARY, data), frame(TEXT, b"x" * size))
    assert peer.read() == (BINARY, data)
    assert peer.read() == (TEXT, "x" * size)
    assert peer.keys[0] != peer.keys[1]
    finish(client, peer)


def test_byte_by_byte(client, server):
    peer = connected(client, server)
    slowly(peer, frame(TEXT, "Grüße 😀".encode()) + frame(PING, b"p") + frame(TEXT, b"a" * 130))
    assert peer.read() == (TEXT, "Grüße 😀")
    assert peer.read() == (PONG, b"p")
    assert peer.read() == (TEXT, "a" * 130)
    finish(client, peer)


def test_control_frames_between_fragments(client, server):
    peer = connected(client, server)
    peer.send(frame(TEXT, b"one ", fin=False), frame(PING, b"1"))
    assert peer.read() == (PONG, b"1")
    peer.send(
        frame(0, b"", fin=False), frame(PONG, b"unasked"), frame(0, b"two ", fin=False), frame(PING, b"\xff" * 125)
    )
    assert peer.read() == (PONG, b"\xff" * 125)
    peer.send(frame(0, b"three"))
    assert peer.read() == (TEXT, "one two three")
    assert finish(client, peer)["received"] == ["one two three"]


def test_close_between_fragments(client, server):
    peer = connected(client, server)
    peer.send(frame(TEXT, b"never finished", fin=False))
    assert finish(client, peer)["received"] == []


def test_characters_split_across_fragments(client, server):
    text = "aé€😀"
    peer = connected(client, server)
    data = text.encode()
    peer.send(*(frame(TEXT if i == 0 else 0, data[i : i + 1], fin=i == len(data) - 1) for i in range(len(data))))
    assert peer.read() == (TEXT, text)
    finish(client, peer)


PROTOCOL_ERRORS = {
    "reserved bit 1": frame(TEXT, b"a", rsv=4),
    "reserved bit 3": frame(TEXT, b"a", rsv=1),
    "reserved bit on a ping": frame(PING, rsv=2),
    "opcode 3": frame(3, b"a"),
    "opcode 7": frame(7),
    "opcode 11": frame(11),
    "opcode 15": frame(15, b"a"),
    "masked": frame(TEXT, b"a", masked=True),
    "fragmented ping": frame(PING, fin=False),
    "ping of 126": frame(PING, b"a" * 126),
    "close of 126": frame(CLOSE, b"\x03\xe8" + b"a" * 124),
    "continuation of nothing": frame(0, b"a"),
    "last continuation of nothing": frame(0, b"a", fin=False),
    "message inside of a message": frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    "continuation after the end": frame(TEXT, b"a") + frame(0, b"b"),
    "length 5 in 16 bits": frame(TEXT, b"a" * 5, length=b"\x7e\x00\x05"),
    "length 125 in 16 bits": frame(TEXT, b"a" * 125, length=b"\x7e\x00\x7d"),
    "length 5 in 64 bits": frame(TEXT, b"a" * 5, length=b"\x7f" + bytes(7) + b"\x05"),
    "length 65535 in 64 bits": frame(TEXT, b"a" * 65535, length=b"\x7f" + bytes(6) + b"\xff\xff"),
    "length with the highest bit": frame(TEXT, b"a", length=b"\x7f\x80" + bytes(7)),
    "close with half a code": frame(CLOSE, b"\x03"),
} | {
    "close code %d" % code: frame(CLOSE, code.to_bytes(2, "big"))
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
}


@pytest.mark.parametrize("name", PROTOCOL_ERRORS)
def test_protocol_errors(client, server, name):
    peer = connected(client, server)
    peer.send(PROTOCOL_ERRORS[name])
    opcode, payload = peer.read()
    while opcode == TEXT:  # the echo of what was good before
        opcode, payload = peer.read()
    assert opcode == CLOSE and payload[:2] == (1002).to_bytes(2, "big") and payload[2:].decode()
    peer.close()
    result = client.result()
    assert result["error"] == "ProtocolError" and result["os_error"] and result["close_code"] == 1002


BAD_TEXTS = {
    "lone continuation": b"\x80",
    "unfinished": b"\xe2\x82",
    "over-long 2": b"\xc0\xaf",
    "over-long 2b": b"\xc1\xbf",
    "over-long 3": b"\xe0\x80\xaf",
    "over-long 4": b"\xf0\x80\x80\xaf",
    "over-long 4b": b"\xf0\x8f\xbf\xbf",
    "surrogate": b"\xed\xa0\x80",
    "last surrogate": b"\xed\xbf\xbf",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "lead F5": b"\xf5\x80\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "FF": b"\xff",
    "missing continuation": b"\xe2\x28\xa1",
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_text_that_is_not_utf_8(client, server, name):
    bad = BAD_TEXTS[name]
    for frames in (
        frame(TEXT, b"ok \xc3\xa9 " + bad),
        frame(TEXT, b"ok " + bad[:1], fin=False) + frame(0, bad[1:]),
        frame(CLOSE, b"\x03\xe8" + bad),
    ):
        peer = connected(client, server)
        peer.send(frames)
        opcode, payload = peer.read()
        assert opcode == CLOSE and payload[:2] == (1007).to_bytes(2, "big")
        peer.close()
        assert client.result()["close_code"] == 1007


@pytest.mark.parametrize("good", ["\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff", "\x00\x7f", "\ufeff\ufffe"])
def test_characters_at_the_borders_of_utf_8(client, server, good):
    peer = connected(client, server)
    peer.send(frame(TEXT, good.encode()))
    assert peer.read() == (TEXT, good)
    finish(client, peer)


def test_bad_text_is_noticed_before_its_message_is_complete(client, server):
    for frames in (
        frame(TEXT, b"\xed\xa0", fin=False),  # §8.1, in a fragment
        frame(TEXT, bytes(100), length=b"\x64")[:20] + b"\xf4\x90",  # in the middle of a frame
    ):
        peer = connected(client, server)
        peer.send(frames)
        assert peer.read()[1][:2] == (1007).to_bytes(2, "big")
        peer.close()
        client.result()


def test_message_that_is_too_big(client, server):
    for frames in (
        frame(TEXT, length=b"\x7e\x03\xe9"),  # only announced: nothing has to be received
        frame(TEXT, length=b"\x7f" + bytes(1) + b"\x0f" * 7),
        frame(BINARY, b"a" * 600, fin=False) + frame(0, b"a" * 401),
    ):
        peer = connected(client, server, max_size=1000)
        peer.send(frames)
        opcode, payload = peer.read()
        assert opcode == CLOSE and payload[:2] == (1009).to_bytes(2, "big")
        peer.close()
        assert client.result()["close_code"] == 1009
    peer = connected(client, server, max_size=1000)
    peer.send(frame(BINARY, b"a" * 600, fin=False), frame(0, b"a" * 400))
    assert len(peer.read()[1]) == 1000
    finish(client, peer)


# -- closing, §7


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1014, 3000, 4999])
def test_close_codes_are_echoed(client, server, code):
    peer = connected(client, server)
    peer.send(frame(CLOSE, code.to_bytes(2, "big") + "früh".encode()), frame(TEXT, b"after the end"))
    assert peer.read() == (CLOSE, code.to_bytes(2, "big"))
    peer.close()
    result = client.result()
    assert (result["close_code"], result["close_reason"], result["error"]) == (code, "früh", None)
    assert result["received"] == []


def test_close_without_a_code(client, server):
    peer = connected(client, server)
    assert finish(client, peer, b"")["close_code"] == 1005


def test_server_that_forgets_to_close_tcp(client, server):
    peer = connected(client, server)
    peer.send(frame(CLOSE, b"\x03\xe8"))
    assert peer.read() == (CLOSE, b"\x03\xe8")
    assert peer.at_end()  # the client does it, after a second
    assert client.result()["close_code"] == 1000


def test_client_closes(client, server):
    peer = connected(client, server, do="close", code=3456, reason="x" * 200)
    opcode, payload = peer.read()
    assert opcode == CLOSE and payload == (3456).to_bytes(2, "big") + b"x" * 123
    peer.send(frame(TEXT, b"still on its way"), frame(CLOSE, payload[:2]))
    peer.close()
    result = client.result()
    assert result["error"] is None and result["closed"] and result["after"] is None


def test_server_that_ignores_our_close(client, server):
    peer = connected(client, server, do="close", code=1000, reason="")
    assert peer.read() == (CLOSE, b"\x03\xe8")
    began = time.monotonic()
    assert client.result()["close_code"] == 1006
    assert time.monotonic() - began < 5
    assert peer.at_end()


@pytest.mark.parametrize("rest", [b"", b"\x81", b"\x81\x7e\x01", frame(TEXT, b"cut off")[:-3]])
def test_connection_lost(client, server, rest):
    peer = connected(client, server)
    peer.send(rest)
    peer.close()
    result = client.result()
    assert result["error"] == "ConnectionClosed" and result["close_code"] == 1006 and result["closed"]


# -- sending under pressure


def test_cancelled_senders_leave_whole_frames(client, server):
    """A peer that reads slowly, 60 senders, 20 of them cancelled in the middle of their frame."""
    peer = connected(client, server, do="flood", count=60, cancel=20, size=100_000)
    peer.pause_s = 0.0005
    messages = []
    while True:
        opcode, text = peer.read()
        if text == "end":
            break
        assert opcode == TEXT and text == text[0] * 100_000
        messages.append(text[0])
    assert len(messages) >= 40
    peer.send(frame(TEXT, b"done"))
    peer.close()
    assert client.result()["sent"] <= len(messages)


# -- fuzz


def test_random_frames_end_in_order(client, server):
    """Whatever comes, the client answers with nothing, an echo, a pong or a Close, and is ready for the next one."""
    rng = random.Random(6455)
    for _ in range(60):
        peer = connected(client, server, max_size=1000)
        for _ in range(rng.randrange(1, 6)):
            size = rng.choice((0, 1, 5, 125, 126, 200))
            length = rng.choice((None, None, None, rng.randbytes(rng.choice((1, 3, 9)))))
            opcode, fin = rng.choice((0, 1, 2, 9, 10, rng.randrange(16))), rng.random() < 0.7
            rsv = rng.choice((0, 0, 0, rng.randrange(8)))
            try:
                peer.send(frame(opcode, rng.randbytes(size), fin, rsv, length=length))
            except OSError:
                break
        peer.socket.shutdown(1)
        try:
            while peer.read():
                pass
        except ConnectionResetError:
            pass
        peer.close()
        result = client.result()
        assert result["closed"] and (result["error"] is None or result["os_error"])


# -- the field's own server


def certificate():
    """Returns a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = builder.add_extension(alternative, False).add_extension(x509.BasicConstraints(True, None), True)
    return builder.sign(key, hashes.SHA256()), key


async def conversation(ws):
    await (await ws.ping(b"are you there"))
    for message in ("Grüße", b"\x00\xff", ["frag", "men", "ted"], "x" * 60_000, ""):
        await ws.send(message)
        assert await ws.recv() == ("".join(message) if isinstance(message, list) else message)
    await ws.close(4321, "enough")


def test_with_the_websockets_library(client):
    with Relay(lambda: websockets.serve(conversation, "127.0.0.1", 0, subprotocols=["ocpp1.6"])) as port:
        client.start(url="ws://127.0.0.1:%d/CP" % port, do="echo", subprotocols=["ocpp1.6"])
        result = client.result()
    assert (result["close_code"], result["close_reason"]) == (4321, "enough")
    assert result["subprotocol"] == "ocpp1.6" and result["received"][2] == "fragmented"


def test_wss_and_a_wrong_certificate(client, tmp_path):
    good, key = certificate()
    other, _ = certificate()
    for name, cert in (("good", good), ("other", other)):
        (tmp_path / (name + ".der")).write_bytes(cert.public_bytes(serialization.Encoding.DER))
    (tmp_path / "chain.pem").write_bytes(
        good.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem")
    with Relay(lambda: websockets.serve(conversation, "127.0.0.1", 0, ssl=context)) as port:
        url = "wss://127.0.0.1:%d/" % port
        client.start(url=url, do="echo", ca=str(tmp_path / "good.der"))
        assert client.result()["close_code"] == 4321
        client.start(url=url, do="echo", ca=str(tmp_path / "other.der"))
        assert client.result()["os_error"]
        client.start(url=url.replace("127.0.0.1", "localhost"), do="echo", ca=str(tmp_path / "good.der"))
        assert client.result()["os_error"]  # the name is not in the certificate
        client.start(url=url, do="echo")
        assert not client.result()["os_error"]  # wss without a context is the caller's mistake
