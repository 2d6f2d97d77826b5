# Modbus RTU master. MIT license.
"""RtuMaster: one request on the wire at a time, reply framed by its expected length, retries (V1.02 §2.4, §2.5)."""

import asyncio
import struct
import sys

from micropython import const

from modbus_rtu.frame import EXCEPTION, ReplyFinder, seal

if sys.implementation.name == "micropython":
    from asyncio import core, sleep_ms  # type: ignore[attr-defined]

    def _now_ms():
        return core.ticks()

    def _since_ms(start):
        return core.ticks_diff(core.ticks(), start)

else:
    from asyncio import get_running_loop  # type: ignore[attr-defined]

    def sleep_ms(ms):  # type: ignore[no-redef]
        return asyncio.sleep(ms / 1000)

    def _now_ms():
        return int(get_running_loop().time() * 1000)

    def _since_ms(start):
        return _now_ms() - start


_READ_HOLDING = const(3)
_READ_INPUT = const(4)
_WRITE_SINGLE = const(6)
_WRITE_MULTIPLE = const(16)

_MAX_UNIT = const(247)
_MAX_READ = const(125)  # registers in one request (Modbus Application Protocol V1.1b3 §6.3)
_MAX_WRITE = const(123)  # §6.12

_BITS = const(11)  # per character on the wire: start, 8 data, parity or second stop, stop
_CHUNK = const(64)
_MAX_NOISE = const(2048)  # bytes, about two seconds at 9600 baud
# A reply may begin 3.5 characters after the request. A scheduler that comes back later than that would drive the line
# against the server, and it may come back 10 ms late and more: so long before the end it is not let go any more.
_HELD_MS = const(20)
_LOOK_MS = const(5)  # between two looks for the reply: sleeping costs no memory, unlike an event with a time-out

# Exception codes after which the request is sent again; None: no valid answer.
_BUSY = const(6)
_TRANSIENT = (None, _BUSY)


class ModbusError(OSError):
    """The server answered with the exception `code` (Modbus Application Protocol V1.1b3 §7; 1: illegal function,
    2: illegal address, 3: illegal value, 4: failure, 6: busy), or there was no valid answer in time (`code` None)."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class RtuMaster:
    """A master on one serial line; any number of tasks may use it, their requests are queued. All raise ModbusError.

    stream      asyncio stream of the UART: read(n), write(data), drain()
    baudrate    of the line, for the silence between frames and the duration of a frame
    timeout_ms  time in which the reply must begin to arrive
    retries     number of repetitions of a request without valid answer, or answered with "busy"
    direction   for an RS-485 transceiver without automatic direction: direction(True) drives the line. `port` is then
                needed too, the UART itself: write(data) returns how much it took, txdone() whether the last stop bit
                has left (machine.UART). For the last 20 ms of a request nothing else runs
    """

    def __init__(self, stream, baudrate=9600, timeout_ms=300, retries=1, direction=None, port=None):
        self._stream = stream
        self._baudrate = baudrate
        self._timeout_ms = timeout_ms
        self._retries = retries
        self._direction = direction
        self._port = port
        # V1.02 §2.5.1.1: 3.5 characters, 1.75 ms above 19200 baud; rounded up, plus one for the timer.
        self._silence_ms = 2 if baudrate > 19_200 else 3_500 * _BITS // baudrate + 2
        self._lock = asyncio.Lock()
        self._listener = None  # the task that takes what the line carries
        self._error = None  # what ended it
        self._finder = ReplyFinder()
        self._expecting = False
        self._reply = None
        self._heard = 0  # bytes since the wait began

    # Coroutines that are awaited one in another are garbage, 200 bytes each: these two hand theirs on.

    def read_holding(self, unit, address, count):
        """To be awaited: returns `count` (1..125) holding registers from `address` (0-based) as 2 * count bytes."""
        return self._read(unit, _READ_HOLDING, address, count)

    def read_input(self, unit, address, count):
        """To be awaited: returns `count` (1..125) input registers from `address` (0-based) as 2 * count bytes."""
        return self._read(unit, _READ_INPUT, address, count)

    async def write_single(self, unit, address, value):
        """Writes one holding register, value 0..65535."""
        body = begin(unit, _WRITE_SINGLE, address, value)
        await self.request(body, body, len(body) + 2)

    async def write_multiple(self, unit, address, data):
        """Writes `data`, two bytes per register, to the holding registers from `address` on."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("data must be bytes, not " + type(data).__name__)
        count = len(data) // 2
        if not 1 <= count <= _MAX_WRITE or len(data) % 2:
            raise ValueError(f"cannot write {len(data)} bytes")
        head = begin(unit, _WRITE_MULTIPLE, address, count)
        await self.request(head + bytes((len(data),)) + data, head, len(head) + 2)

    async def _read(self, unit, function, address, count):
        if not 1 <= count <= _MAX_READ:
            raise ValueError(f"cannot read {count} registers")
        head = bytes((unit, function, 2 * count))
        reply = await self.request(begin(unit, function, address, count), head, 2 * count + 5)
        return reply[3:]

    async def request(self, body, head, length):
        """Sends `body`; returns the reply (begins with `head`, `length` bytes with CRC) without the CRC."""
        frame = seal(body)
        await self._lock.acquire()
        try:
            for left in range(self._retries, -1, -1):
                try:
                    return await self._exchange(frame, head, length)
                except ModbusError as exc:
                    if not left or exc.code not in _TRANSIENT:
                        raise
        finally:
            self._lock.release()

    async def _exchange(self, frame, head, length):
        if self._listener is None or self._listener.done():
            self._error = None
            self._listener = asyncio.create_task(self._listen())
        await self._await_silence()
        self._reply = None
        self._finder.expect(head, length)
        self._expecting = True
        try:
            if self._direction:
                await self._drive(frame)
            else:
                self._stream.write(frame)
                await self._stream.drain()
            await self._await_reply(self._timeout_ms + self._wire_ms(len(frame) + length))
        finally:
            self._expecting = False
        reply = self._reply
        if reply is None:
            raise ModbusError(None, f"no answer from unit {head[0]}")
        if reply[1] & EXCEPTION:
            code = reply[2]
            raise ModbusError(code, f"unit {head[0]}: exception {code}")
        return reply

    async def _listen(self):
        """Receives until the line fails. One permanent task, since each read with a time-out would need a task."""
        try:
            while True:
                data = await self._stream.read(_CHUNK)
                if not data:
                    raise ModbusError(None, "the line is closed")
                self._heard += len(data)
                if self._expecting and self._reply is None:
                    self._reply = self._finder.feed(data)
        except OSError as exc:
            self._error = exc

    async def _await_silence(self):
        """Waits until the line is idle; discards what was received before, such as a late reply."""
        self._heard = heard = 0
        while True:
            await sleep_ms(self._silence_ms)
            self._check()
            if heard == self._heard:
                break
            heard = self._heard

    async def _await_reply(self, wait_ms):
        self._heard = 0
        began = _now_ms()
        left_ms = wait_ms
        while self._reply is None and left_ms > 0:
            await sleep_ms(min(left_ms, _LOOK_MS))
            self._check()
            left_ms = wait_ms - _since_ms(began)
        if self._reply is None:
            # If another task has blocked the scheduler, the time may be over before the listener has read the reply.
            await sleep_ms(self._silence_ms)

    def _check(self):
        """Raises the error that ended the line, or ModbusError when it carries only noise."""
        if self._error:
            raise self._error
        if self._heard >= _MAX_NOISE:
            raise ModbusError(None, "nothing but noise on the line")

    async def _drive(self, frame):
        """Sends a request through a driver that has to be switched."""
        self._direction(True)
        try:
            began = _now_ms()
            wire_ms = self._wire_ms(len(frame))
            sent = self._port.write(frame) or 0
            if wire_ms > _HELD_MS:
                await sleep_ms(wire_ms - _HELD_MS)
            while sent < len(frame) or not self._port.txdone():
                if sent < len(frame):
                    sent += self._port.write(frame[sent:]) or 0
                if _since_ms(began) > wire_ms + _HELD_MS:
                    raise ModbusError(None, "the request does not leave")
        finally:
            self._direction(False)

    def _wire_ms(self, characters):
        return characters * _BITS * 1000 // self._baudrate + 1


def begin(unit, function, address, word):
    """Returns the beginning of a request: unit, function, address, count or value. Raises ValueError."""
    if not 1 <= unit <= _MAX_UNIT:
        raise ValueError(f"invalid unit {unit}")
    if not (0 <= address <= 0xFFFF and 0 <= word <= 0xFFFF):
        raise ValueError(f"invalid register {address} or value {word}")
    return struct.pack(">BBHH", unit, function, address, word)
