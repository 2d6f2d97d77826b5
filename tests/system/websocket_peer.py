"""The other side of tests/system/test_uwebsockets.py: a server that sends whatever bytes a test wants.

`Client` runs websocket_client.py, `Peer` is one accepted TCP connection. What comes from the client is read by a strict
parser: any frame that RFC 6455 does not allow a client fails the test.
"""

import base64
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from tools.sim.charger import interpreter

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("websocket_client.py")
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
COMMAND = {
    "cpython": [sys.executable, str(SCRIPT), str(ROOT / "lib"), str(ROOT / "tests" / "cpython")],
    "micropython": [
        *interpreter(),
        "-X",
        "heapsize=16M",
        str(SCRIPT),
        str(ROOT / "lib"),
    ],
}


def frame(opcode, payload=b"", fin=True, rsv=0, masked=False, length=None):
    """Returns a server's frame; `length` is the length field as bytes where it is not to be the right one."""
    size = len(payload)
    if length is None:
        if size < 126:
            length = bytes((size,))
        else:
            length = struct.pack("!BH", 126, size) if size < 65536 else struct.pack("!BQ", 127, size)
    if masked:
        length = bytes((length[0] | 0x80,)) + length[1:] + bytes(4)
    return bytes((fin << 7 | rsv << 4 | opcode,)) + length + payload


class Client:
    """One client process; its jobs run one after the other."""

    def __init__(self, interpreter):
        self.process = subprocess.Popen(
            COMMAND[interpreter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PATH": ""},
        )

    def start(self, **job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()

    def result(self):
        line = self.process.stdout.readline()
        assert line, "the client died"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        try:
            assert self.process.wait(5) == 0
        finally:
            self.process.kill()
            self.process.stdout.close()


class Peer:
    """A TCP connection of the client, before or after the handshake."""

    def __init__(self, listener):
        listener.settimeout(5)
        self.socket = listener.accept()[0]
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(5)
        self.pause_s = 0  # before each piece of what the client sends is read
        self.keys = []  # masking keys of the frames received

    def read_request(self):
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.socket.recv(4096)
        lines = data[:-4].decode("ascii").split("\r\n")
        self.request_line = lines[0]
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        assert len(self.headers) == len(lines) - 1
        return self.headers

    def accept_key(self):
        digest = hashlib.sha1((self.headers["sec-websocket-key"] + GUID).encode()).digest()
        return base64.b64encode(digest).decode()

    def upgrade(self, extra=b"", **replace):
        """Sends the 101 answer; `replace` sets or, with None, leaves out a header by its name with underscores."""
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": self.accept_key()}
        status = replace.pop("status", "HTTP/1.1 101 Switching Protocols")
        headers |= {name.replace("_", "-"): value for name, value in replace.items()}
        lines = [status] + ["%s: %s" % item for item in headers.items() if item[1] is not None]
        self.socket.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + extra)

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def read(self):
        """Returns (opcode, payload) of the client's next frame, None at the end of the stream."""
        head = self._exactly(2, True)
        if not head:
            return None
        assert head[0] & 0xF0 == 0x80, "fragmented, or with reserved bits"
        opcode, size = head[0] & 15, head[1] & 127
        assert head[1] & 0x80, "not masked"
        if size == 126:
            size = struct.unpack("!H", self._exactly(2))[0]
            assert size > 125
        elif size == 127:
            size = struct.unpack("!Q", self._exactly(8))[0]
            assert size > 65535
        assert opcode in (TEXT, BINARY, CLOSE, PING, PONG) and (opcode < 8 or size < 126)
        key = self._exactly(4)
        self.keys.append(key)
        masked = self._exactly(size)
        pattern = (key * (size // 4 + 1))[:size]
        payload = (int.from_bytes(masked, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")
        if opcode == TEXT:
            payload = payload.decode("utf-8")
        return opcode, payload

    def at_end(self):
        """Tells whether the client closes the TCP connection now, without another byte."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def _exactly(self, size, or_nothing=False):
        data = b""
        while len(data) < size:
            if self.pause_s:
                time.sleep(self.pause_s)
            piece = self.socket.recv(min(16384, size - len(data)))
            if not piece:
                assert or_nothing and not data, "the client closed in the middle of a frame"
                return b""
            data += piece
        return data


class Relay:
    """Runs an asyncio server in a thread of its own: `with Relay(coroutine function) as port`."""

    def __init__(self, serve):
        self._serve = serve

    def __enter__(self):
        import asyncio

        ready = threading.Event()

        async def main():
            self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
            async with await self._serve() as server:
                self.port = server.sockets[0].getsockname()[1]
                ready.set()
                await self._done.wait()

        self._thread = threading.Thread(target=asyncio.run, args=(main(),))
        self._thread.start()
        ready.wait(5)
        return self.port

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(5)


def listen():
    """Returns a listening socket on 127.0.0.1 and its port. Its connections hold little that has not been read."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener, listener.getsockname()[1]


def slowly(peer, data, pause_s=0.001):
    """Sends byte by byte, each in a packet of its own."""
    for i in range(len(data)):
        peer.socket.sendall(data[i : i + 1])
        time.sleep(pause_s)
