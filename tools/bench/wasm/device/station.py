# The whole station on the 32-bit build. MIT license.
"""Power, vehicle and back-end of a station whose heap is measured; the names here are used by the steps of heap.py.

Everything above the pins and below the TCP connection is the firmware's own. The back-end answers between two turns,
so that nothing of it is in the heap while the firmware runs.
"""

import asyncio
import hashlib
import json
import os
import random
import time
from binascii import b2a_base64

import machine
import network
from turns import Turns

from firmware.app import App
from firmware.drivers.uplink import Wifi
from firmware.evse.control import Control, Evse
from firmware.kernel.clock import Clock, iso8601
from firmware.kernel.log import Log
from firmware.kernel.tasks import Supervisor
from firmware.ocpp.target import Opener
from tools.sim.world.clock import BoardClock
from tools.sim.world.field import Field
from tools.sim.world.meter_emulator import MeterBus
from tools.sim.world.pn532_emulator import Pn532
from tools.sim.world.world import UART_METER, UART_READER, World

_UNIX = 1_800_000_000
_TOKEN = "04A1B2C3"
_STORAGE = "/data"
_FRAME = "/frame"
_CALLS = "/calls"
_LOG_LINES = 200
_PIECE = 10  # tokens

_TEXT = 1
_KEY = b"Sec-WebSocket-Key: "
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)

_mkdir = os.mkdir


def _make_directory(path):
    try:
        _mkdir(path)
    except OSError as exc:
        raise OSError(17 if exc.errno == 20 else exc.errno)  # EEXIST has a number of its own here


os.mkdir = _make_directory
os.urandom = lambda count: bytes(random.getrandbits(8) for _ in range(count))


class Backend:
    """The connection at TCP's place, and the central system behind it: accepts everything."""

    def __init__(self):
        self.here = False
        self.link = None
        self.answers = {}  # message id -> bytes of the answer
        self._sent = []
        self._missing = 0  # bytes of the frame that is being sent
        self._arrived = asyncio.Event()
        self._waiting = b""
        self._stream = None  # yields the pieces of a message that is too long to be held here

    async def open(self, url, ssl, resolve):
        """Stands for tcp.dial() of the WebSocket client; this object is the Transport as well."""
        if not self.here:
            raise OSError("nobody there")
        self._waiting = b""
        return self

    # What the WebSocket client sees.

    async def read(self):
        while not self._waiting:
            self._waiting = next(self._stream, b"") if self._stream else b""
            if not self._waiting:
                self._stream = None
                self._arrived.clear()
                await self._arrived.wait()
        data, self._waiting = self._waiting[:1024], self._waiting[1024:]
        return data

    async def write(self, pieces):
        for piece in pieces:
            if piece:
                self._sent.append(piece)
            await asyncio.sleep(0)

    async def close(self):
        self._sent.clear()

    # What happens between turns.

    def work(self):
        """Answers what has been sent. A frame that comes in pieces is collected in a file, outside of the heap."""
        while self._sent:
            piece = self._sent.pop(0)
            if not self._missing:
                if piece[:4] == b"GET ":
                    self._accept(piece)
                    continue
                self._missing = _frame_bytes(piece)
            self._missing -= len(piece)
            with open(_FRAME, "ab") as file:
                file.write(piece)
            if not self._missing:
                with open(_FRAME, "rb") as file:
                    opcode, text = _unmasked(file.read())
                os.remove(_FRAME)
                if opcode == _TEXT:
                    self._answer(json.loads(text), len(text))

    def _accept(self, request):
        key = request[request.find(_KEY) + len(_KEY) :].split(b"\r\n", 1)[0]
        accept = b2a_base64(hashlib.sha1(key + _GUID).digest()).strip()
        self._arrive(_ACCEPTED % accept)

    def _answer(self, message, size):
        if message[0] != 2:
            self.answers[message[1]] = size if message[0] == 3 else message
            return
        action = message[2]
        with open(_CALLS, "a") as file:  # outside of the heap
            file.write(action + "\n")
        now = iso8601(_UNIX + time.board_clock.ms() // 1000)
        payload = {}
        if action == "BootNotification":
            payload = {"status": "Accepted", "currentTime": now, "interval": 300}
        elif action == "Heartbeat":
            payload = {"currentTime": now}
        elif action in ("Authorize", "StartTransaction", "StopTransaction"):
            payload = {"idTagInfo": {"status": "Accepted"}}
            if action == "StartTransaction":
                payload["transactionId"] = 4711
        self._post(json.dumps([3, message[1], payload]))

    def calls(self):
        """Returns the actions that were called, in their order."""
        with open(_CALLS) as file:
            return file.read().split()

    def call(self, action, **payload):
        """Sends a CALL whose message id is its action; `answers` gets the size of the answer, or the CALLERROR."""
        self._post(json.dumps([2, action, action, payload]))

    def send_local_list(self, count):
        """Sends a SendLocalList of `count` tokens, made up piece by piece."""
        self._stream = _local_list(count)
        self._arrived.set()

    def _post(self, text):
        data = text.encode()
        size = len(data)
        head = bytes((0x81, size)) if size < 126 else bytes((0x81, 126, size >> 8, size & 255))
        self._arrive(head + data)

    def _arrive(self, data):
        self._waiting += data
        self._arrived.set()


def _local_list(count):
    """Yields one frame in pieces of about a kilobyte."""
    head = b'[2,"SendLocalList","SendLocalList",{"listVersion":1,"updateType":"Full","localAuthorizationList":['
    entry = b'{"idTag":"%08X","idTagInfo":{"status":"Accepted","expiryDate":"2030-01-01T00:00:00Z"}}'
    tail = b"]}]"
    size = len(head) + len(entry % 0) * count + count - 1 + len(tail)
    yield bytes((0x81, 127)) + size.to_bytes(8, "big") + head
    for first in range(0, count, _PIECE):
        # The tokens are those of cards: spread, and in no order.
        tokens = [number * 40503 % 65536 * 65536 + number for number in range(first, min(first + _PIECE, count))]
        yield b",".join([entry % token for token in tokens]) + (b"," if first + _PIECE < count else b"")
    yield tail


def _frame_bytes(piece):
    """Returns the length of the frame of the client that begins with `piece` (RFC 6455 §5.2)."""
    size = piece[1] & 127
    return 6 + size if size < 126 else 8 + (piece[2] << 8) + piece[3]


def _unmasked(frame):
    """Returns (opcode, payload) of a frame of the client (RFC 6455 §5.2)."""
    size, at = frame[1] & 127, 2
    if size == 126:
        size, at = (frame[2] << 8) + frame[3], 4
    mask = frame[at : at + 4]
    data = bytearray(frame[at + 4 : at + 4 + size])
    for i in range(size):
        data[i] ^= mask[i & 3]
    return frame[0] & 15, bytes(data)


turns = Turns()
time.board_clock = BoardClock(turns.us, lambda: _UNIX)
backend = Backend()
world = World(time.board_clock.ms, lambda name, fields: None)
outlet = world.outlets[0]
MeterBus(world.lines[UART_METER], world.timeline, world.outlets)
field = Field(world.timeline)
Pn532(world.lines[UART_READER], world.timeline, field)
machine.attach(world, lambda kind: None)
network.attach(world)
os.mkdir(_STORAGE)


async def live():
    # Processes due events of the world, such as a relay that opens or a meter's answer.
    while True:
        world.timeline.look()
        await asyncio.sleep_ms(20)


def build_board():
    from firmware.boards import simulated
    from firmware.boards.board import Board  # App gives its code back, if nothing else refers to it

    return Board(simulated)


class Below:
    """The parts below charging: EVSEs, readers, buttons and Wi-Fi with their tasks, to measure their heap."""

    def __init__(self, board, supervisor, clock, log):
        self.evses = [Evse(i + 1, drivers, clock, log) for i, drivers in enumerate(board.connectors)]
        self.control = Control(self.evses, clock, 20)
        self.wifi = Wifi(network.WLAN(network.WLAN.IF_STA), clock, log, lambda: ("", ""))
        supervisor.add("control", self.control.run, 1_000, True, 20)
        supervisor.add("buttons", board.buttons.run, 1_000)
        supervisor.add("wifi", self.wifi.run, 30_000)
        for reader in board.readers:
            supervisor.add("reader", reader.run, 10_000)
        self.supervisor = supervisor


def build_kernel():
    clock = Clock(time.ticks_ms, time.ticks_diff)
    log = Log(clock)
    return Supervisor(clock, log), clock, log


def build_app(board):
    provision = {"CentralSystemUrl": "ws://192.0.2.1:9000", "ChargePointId": "cp001", "MeterValueSampleInterval": "10"}
    app = App(board, storage=_STORAGE, provision=provision)
    Opener.dial = backend.open
    return app


def start(run):
    asyncio.create_task(run)


def connect(app):
    backend.here = True
    app.link.connection.reconnect()


def plug():
    outlet.plug(32)
    field.show(bytes.fromhex(_TOKEN))


def charge():
    outlet.set_load((16_000, 16_000, 16_000), 230_000)
    outlet.set_vehicle("C")


def take_card():
    field.show(bytes.fromhex(_TOKEN))


def unplug():
    outlet.unplug()


def fill_log(app):
    """Days later: as many lines as it keeps, of usual length."""
    for number in range(_LOG_LINES):
        app.log.info("bench", "a line that is about as long as most, no. %3d", number)


asyncio.create_task(live())
