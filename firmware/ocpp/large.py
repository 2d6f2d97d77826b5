"""Large messages: kept in flash while they arrive, then read piece by piece.

Only one is kept at a time. A message that cannot be kept (another one is being processed, the flash is full) is still
received, so that the link stays up, and answered with a CALLERROR: its beginning with the message id stays in RAM.
"""

import asyncio
import io

from jsonstream import Reader
from micropython import const

from firmware.ocpp.errors import FORMATION_VIOLATION, CallError
from firmware.ocpp.message import HEAD, MAX_DEPTH
from firmware.ocpp.spool import remove
from firmware.store.room import free_bytes

_CALL = const(2)

_SHOWN = const(80)  # characters of the message in a log line
_MAX_IN_RAM = const(65536)  # bytes of a message that is kept in flash but parsed as a whole
_SEGMENT = const(65536)  # bytes per file; each file is removed as soon as it was read for the last time
_ROOM = const(65536)  # bytes reserved at once when the message exceeds its announced size
_MARGIN = const(131072)  # bytes of flash left for the journal
_MAX_MS = const(300_000)  # time for a message to arrive
_MAX_ITEM = const(2048)  # bytes of one item of a list
_MAX_FIELD = const(4096)  # bytes of any other value in the payload
_TOKENS = const(64)  # JSON tokens read before other tasks run


class LargeMessage:
    """One message of at least `announced` bytes. `size`: bytes received; `fault`: why it is not kept, or None.

    `lists`: {action: field} of the lists that may exceed the RAM; their payload field is an ItemsOnFlash.
    """

    def __init__(self, spool, path, lists, clock, fault, announced):
        self._spool = spool
        self._lists = lists
        self._path = path
        self._clock = clock
        self._deadline_ms = clock.ms() + _MAX_MS
        self._announced = announced
        self._granted = 0
        self._streamed = None  # not known yet
        self._file = None
        self._stream = _Segments(path, 0, False)  # read last
        self._segments = 0
        self.head = b""
        self.size = 0
        self.fault = fault
        self.complete = False

    def __str__(self):
        return "%s... (%d bytes)" % (
            str(bytes(b if 0x20 <= b < 0x7F else 0x3F for b in self.head[:_SHOWN]), "ascii"),
            self.size,
        )

    # -- receiving

    def write(self, data):
        """Takes the next bytes. Raises OSError when it takes too long."""
        if self._clock.ms() > self._deadline_ms:
            raise OSError("a message took longer than %d s to arrive" % (_MAX_MS // 1000))
        if len(self.head) < HEAD:
            self.head += bytes(data[: HEAD - len(self.head)])
        self._announced = max(self._announced, self.size + len(data))
        if not self.fault and self._announced > _MAX_IN_RAM and not self._may_be_streamed():
            # It will be refused: do not spend flash and time on it.
            self._fail("message is too large")
        if not self.fault and self.size + len(data) > self._granted:
            self.grant(self.size + max(len(data), _ROOM))
        if not self.fault:
            try:
                self._write(data)
            except OSError as exc:
                self._fail("flash: %s" % exc)
        self.size += len(data)

    def _may_be_streamed(self):
        if self._streamed is None:
            try:
                kind, _, action = envelope(self.head)
                self._streamed = kind == _CALL and action in self._lists
            except ValueError:
                if len(self.head) < HEAD:
                    return True
                self._streamed = False
        return self._streamed

    @property
    def streamed(self):
        """True for a CALL whose long list is read piece by piece; known once its beginning has arrived."""
        self._may_be_streamed()
        return self._streamed is True

    def grant(self, size):
        """Checks that the flash has room for a message of `size` bytes."""
        if free_bytes(self._path) + self._spool.leaving + self.size < size + _MARGIN:
            self._fail("no room for a message of %d bytes" % size)
        self._granted = size

    def _fail(self, fault):
        self.discard()
        self.fault = fault

    def _write(self, data):
        if self._file is None or self.size // _SEGMENT >= self._segments:
            self._close()
            self._file = open(self._name(self._segments), "wb")
            self._segments += 1
        self._file.write(data)

    def _close(self):
        if self._file:
            self._file.close()
            self._file = None

    def _name(self, number):
        return "%s.%d" % (self._path, number)

    # -- reading

    def finish(self):
        """Ends receiving: the message is complete."""
        self.complete = True
        try:
            self._close()
        except OSError as exc:
            self._fail("flash: %s" % exc)

    def discard(self):
        """Removes the message from the flash."""
        try:
            self._close()
        except OSError:
            pass  # it is discarded anyway
        self._stream.close()
        self._spool.forget(self, [self._name(number) for number in range(self._segments)])
        self._segments = 0

    async def text(self):
        """Returns the message as text. Raises OSError, and MemoryError when it does not fit into RAM."""
        data = bytearray(self.size)
        view = memoryview(data)
        at = 0
        self._open(False)
        while at < self.size:
            piece = self._stream.read(1024)
            if not piece:
                raise OSError(5)  # EIO
            view[at : at + len(piece)] = piece
            at += len(piece)
            await asyncio.sleep(0)
        return str(data, "utf-8")

    async def payload(self, action, protocol):
        """Returns the checked payload of a streamed CALL, with an ItemsOnFlash for its long list.

        Reads the whole message to make sure that it is JSON; the Protocol checks each item when it is read. Raises
        CallError and OSError.
        """
        name = self._lists[action]
        try:
            payload = await self._read_payload(self._reader(False), name)
        except ValueError as exc:
            raise CallError(FORMATION_VIOLATION, str(exc))
        items = payload.get(name)
        if type(items) is not ItemsOnFlash:
            protocol.accept(action, payload)
            return payload
        payload[name] = []
        protocol.accept(action, payload)
        items.accept = lambda item, index: protocol.accept_item(action, name, item, index)
        payload[name] = items
        return payload

    async def _read_payload(self, reader, name):
        for _ in range(4):
            token = reader.next()  # skip the bracket, type, id and action, which are known
        if reader.next() != "{":
            raise ValueError("payload is not an object")
        payload = {}
        while reader.next() == "key":
            key = reader.value
            token = reader.next()
            if key == name and token == "[":
                if key in payload:
                    raise ValueError("%s occurs twice" % name)
                payload[key] = ItemsOnFlash(self, name, await _count(reader))
            else:
                payload[key] = reader.read(token, _MAX_FIELD)
        if reader.next() != "]":
            raise ValueError("a CALL is [2, id, action, payload]")
        reader.finish()
        return payload

    def items(self, name):
        """Yields the items of the payload's list `name` and removes the message from flash as it is read."""
        return self._reader(True).items(3, name, max_bytes=_MAX_ITEM)

    def _reader(self, last_time):
        self._open(last_time)
        return Reader(self._stream, max_depth=MAX_DEPTH, max_token=_MAX_ITEM)

    def _open(self, last_time):
        self._stream.close()
        self._stream = _Segments(self._path, self._segments, last_time)


class ItemsOnFlash:
    """A list in a large message: has a length, can be iterated once. Iterating frees `size` bytes of flash.

    `accept(item, index)` is called for each item before it is yielded; it may raise.
    """

    def __init__(self, message, name, count):
        self._message = message
        self._name = name
        self._count = count
        self.accept = None

    def __len__(self):
        return self._count

    @property
    def size(self):
        return self._message.size

    def __iter__(self):
        index = 0
        for item in self._message.items(self._name):
            if self.accept:
                self.accept(item, index)
            index += 1
            yield item


class _Segments:
    """A stream over the files of a message; with `last_time` each is removed after it was read."""

    def __init__(self, path, count, last_time):
        self._path = path
        self._count = count
        self._last_time = last_time
        self._number = 0
        self._file = None

    def read(self, most):
        """Returns the next bytes, b"" at the end. Raises OSError."""
        while self._number < self._count:
            name = "%s.%d" % (self._path, self._number)
            if self._file is None:
                self._file = open(name, "rb")
            data = self._file.read(most)
            if data:
                return data
            self.close()
            if self._last_time:
                remove(name)
            self._number += 1
        return b""

    def close(self):
        if self._file:
            self._file.close()
            self._file = None


def envelope(head):
    """Returns (message type, id, action or None) from the first bytes of a message. Raises ValueError."""
    reader = Reader(io.BytesIO(head), max_token=HEAD)
    found = []
    if reader.next() != "[":
        raise ValueError("not a JSON list")
    while len(found) < 2:
        if reader.next() != "value":
            raise ValueError("not an OCPP-J message")
        found.append(reader.value)
    named = found[0] == _CALL and reader.next() == "value"
    return found[0], found[1], reader.value if named else None


async def _count(reader):
    """Returns the number of items of the array that has just begun, reading past its end."""
    depth = reader.depth
    items = tokens = 0
    while True:
        token = reader.next()
        if token == "]" and reader.depth < depth:
            return items
        if reader.depth == depth + (token == "[" or token == "{") and token != "]" and token != "}":
            items += 1
        tokens += 1
        if tokens % _TOKENS == 0:
            await asyncio.sleep(0)
