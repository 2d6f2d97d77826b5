"""OCPP-J's remote procedure calls over one connection (OCPP-J 1.6 §4 with errata v1.0).

One CALL of ours is on its way at a time; calls of the back-end are answered meanwhile, one after the other in the order
in which they came. What cannot be understood is logged and dropped without disturbing anything else.
"""

import asyncio
import json
import os
from binascii import hexlify

from micropython import const

from firmware.ocpp.errors import (
    FORMATION_VIOLATION,
    GENERIC_ERROR,
    INTERNAL_ERROR,
    PROTOCOL_ERROR,
    CallError,
    InvalidAnswer,
    LinkDown,
    RpcTimeout,
)
from firmware.ocpp.message import HEAD, TooComplex, parse
from firmware.ocpp.waker import Waker

__all__ = ("CallError", "InvalidAnswer", "LinkDown", "LongAnswer", "MessageIds", "Rpc", "RpcTimeout")

_CALL = const(2)
_CALLRESULT = const(3)
_CALLERROR = const(4)

_MAX_ID = const(36)  # characters, §4.1.4
_MAX_QUEUED = const(8)  # calls of the back-end that wait for their turn
_MAX_DESCRIPTION = const(255)
_BESIDE_STEP_MS = const(100)
_TEXT = const(300)  # characters of an answer with a long list that are held at a time


class MessageIds:
    """Returns a new message id at each call: unique for this station for ever, as OCPP-J errata 3.7 wants it.

    64 random bits tell the power-ons apart, a counter the messages.
    """

    def __init__(self):
        self._prefix = hexlify(os.urandom(8)).decode()
        self._count = 0

    def __call__(self):
        self._count += 1
        return "%s-%x" % (self._prefix, self._count)


class LongAnswer:
    """The payload of an answer whose list `name` is made item by item while it is turned into text.

    `items()` returns an iterator over them; until that has come to its end, things may be added to `payload`, in which
    the list is empty. A second one follows for a text so long that it is measured first and made while it is sent.
    """

    def __init__(self, payload, name, items):
        self.payload = payload
        self.name = name
        self.items = items


class Rpc:
    """Both directions of one connection, from its opening to its end.

    `send(text)` and `send_pieces(size, texts)` are those of a WebSocket. `handle(action, payload)` answers the
    back-end's calls: it returns the payload of the answer, or a tuple of that and a function to be called once the
    answer has been sent, or a LongAnswer; it may be a coroutine function and may raise CallError. `message_id()` gives
    a new id.
    """

    def __init__(self, send, handle, schema, log, clock, message_id, send_pieces=None):
        self._send = send
        self._send_pieces = send_pieces
        self._handle = handle
        self._schema = schema
        self._log = log
        self._clock = clock
        self._message_id = message_id
        self._turn = asyncio.Lock()  # one CALL of ours at a time (§4.1.1)
        self._answered = Waker(clock)
        self._pending = None  # id of our CALL that waits for its answer
        self._answer = None  # the message that answers it
        self._repeats = None  # its Transmissions, or None for one that is sent once
        self._transmissions = None  # those of the message whose late answers count
        self._queued = 0  # CALLs with patience that wait for their turn
        self._beside = {}  # id of a CALL that has given up its turn -> its answer, None: there is none yet
        self._inbound = []  # (id, action, payload) of calls to be answered; the first one is in work
        self._server = None  # task that answers them, while there are any
        self._follow_ups = []  # functions to be called after an answer; the first one is in work
        self._follower = None  # task that calls them, while there are any
        self._room = asyncio.Event()  # set when _inbound got shorter, or a CALL of ours began
        self.large = None  # the unread.LargeCall in work
        self.closed = False
        self.unanswered = 0  # calls of ours in a row that got no answer in time
        self.timed_out = None  # function to be called when a CALL got no answer, or None
        self.failed = None  # function(reason) to be called when no more than half an answer was sent, or None
        self.silent = None  # function that tells whether calls stay unanswered, malformed ones too; or None

    @property
    def answering(self):
        """True while a call of the back-end is in work."""
        return bool(self._inbound or self.large)

    def call(self, action, payload, timeout_s, transmissions=None, patience_s=None):
        """Sends a CALL; to be awaited for the payload of its CALLRESULT, of which any field may be missing or None.

        `transmissions` are the Transmissions of a message that may have been sent before: an answer to one of them is
        the answer, and one that has come already makes sending it again needless.

        `patience_s`: when there is no answer after that time and another CALL with patience waits, that one is sent;
        one user's hanging Authorize must not keep all others out. An answer that comes later still is the answer.

        Raises CallError for a CALLERROR (InvalidAnswer for an answer that is none, and at once for a payload of ours
        that breaks the schema), RpcTimeout after `timeout_s` without answer, LinkDown when the connection ends.

        No coroutine function: it would hold the payload, which takes three times the heap of its text.
        """
        self._schema.validate(action, payload)
        message_id = self._message_id()
        if transmissions:
            self._transmissions = transmissions
        text = _dump([_CALL, message_id, action, payload])
        return self._call(action, message_id, text, timeout_s, transmissions, patience_s)

    async def _call(self, action, message_id, text, timeout_s, transmissions, patience_s):
        if patience_s:
            self._queued += 1
            self._answered.wake()  # whose turn it is may have to give it up
            try:
                await self._turn.acquire()
            finally:
                self._queued -= 1
        else:
            await self._turn.acquire()
        try:
            if self.closed:
                raise LinkDown("connection is closed")
            message = transmissions and transmissions.claim()
            if not message:
                self._pending = message_id
                self._repeats = transmissions
                self._answer = None
                self._room.set()
                if transmissions:
                    transmissions.add(message_id)
                began_ms = self._clock.ms()
                deadline_ms = began_ms + timeout_s * 1000
                patient_ms = began_ms + patience_s * 1000 if patience_s else deadline_ms
                try:
                    sending = self._send(text)
                    text = None  # not held while its frame is on its way
                    await sending
                    sending = None
                    message = await self._wait_for_answer(action, deadline_ms, timeout_s, patient_ms)
                    if message is None:
                        self._beside[message_id] = None
                finally:
                    self._pending = self._repeats = self._answer = None
        finally:
            self._turn.release()
        if message is None:
            message = await self._wait_beside(action, message_id, deadline_ms, timeout_s)
        if message[0] == _CALLERROR:
            raise _received_error(message)
        return self._received_result(action, message)

    async def _wait_for_answer(self, action, deadline_ms, timeout_s, patient_ms):
        """Returns the answer to the CALL under way, or None when it has to give up its turn."""
        while self._answer is None:
            if self.closed:
                raise LinkDown("connection closed before the answer to " + action)
            left_ms = deadline_ms - self._clock.ms()
            if left_ms <= 0:
                self.unanswered += 1
                if self.timed_out:
                    self.timed_out()
                raise RpcTimeout("no answer to %s in %d s" % (action, timeout_s))
            if self._queued and patient_ms < deadline_ms:
                if self._clock.ms() >= patient_ms:
                    return None
                left_ms = min(left_ms, patient_ms - self._clock.ms())
            await self._answered.wait(left_ms)
        self.unanswered = 0
        return self._answer

    async def _wait_beside(self, action, message_id, deadline_ms, timeout_s):
        """Returns the answer to a CALL that has given up its turn."""
        try:
            while self._beside[message_id] is None:
                if self.closed:
                    raise LinkDown("connection closed before the answer to " + action)
                if self._clock.ms() >= deadline_ms:
                    raise RpcTimeout("no answer to %s in %d s" % (action, timeout_s))
                await self._clock.sleep_ms(_BESIDE_STEP_MS)
            return self._beside[message_id]
        finally:
            self._beside.pop(message_id)

    def _received_result(self, action, message):
        if len(message) != 3:
            raise InvalidAnswer(FORMATION_VIOLATION, "a CALLRESULT is [3, id, payload]")
        payload = {} if message[2] is None else message[2]  # §4.2.2: null is the same as {}
        try:
            remarks = self._schema.read(action, payload)
        except CallError as exc:
            raise InvalidAnswer(exc.code, "answer to %s: %s" % (action, exc.description))
        for remark in remarks:
            self._log.warning("rpc", "answer to %s: %s", action, remark)
        return payload

    def receive(self, text):
        """Takes a message; to be awaited. Waits while too many calls of the back-end are in work, to slow it down.

        No coroutine function: it would hold the text as long as the work takes.
        """
        try:
            message = parse(text)
        except (TooComplex, MemoryError, RuntimeError) as exc:  # RuntimeError: CPython nests less deep
            from firmware.ocpp.unread import refuse  # with what it needs 12 KB of heap that few stations ever take

            code = GENERIC_ERROR if isinstance(exc, MemoryError) else FORMATION_VIOLATION
            return refuse(self, self._log, text[:HEAD].encode(), CallError(code, str(exc)))
        except ValueError as exc:
            # There is no id that could be answered: a CALLERROR would answer nothing that the back-end knows.
            self._log.warning("rpc", "message dropped: %s", exc)
            message = None
        if message and message[0] == _CALL:
            return self._called(message)
        return self._received(message)

    async def _received(self, message):
        if message is None:
            return
        kind = message[0] if message else None
        if kind != _CALLRESULT and kind != _CALLERROR:
            self._log.info("rpc", "message of unknown type ignored")  # §4.1.3
            return
        message_id = message[1] if len(message) > 1 else None
        late = self._transmissions
        known = late.take(message_id) if late else False
        if self._pending is not None and (message_id == self._pending or (known and self._repeats is late)):
            if self._answer is None:
                self._answer = message
                self._answered.wake()
                # Who asked reads it before the next message is read: a verdict on the station counts at once.
                while self._answer is message:
                    await asyncio.sleep(0)
        elif known:
            self._log.info("rpc", "late answer taken")
            self.unanswered = 0  # the back-end is slow, not gone
            late.keep(message)
        elif type(message_id) is str and message_id in self._beside:
            self.unanswered = 0
            self._beside[message_id] = message
        else:
            self._log.info("rpc", "answer to nothing that was asked")

    async def receive_large(self, message):
        """Takes a message that is kept in flash, see firmware.ocpp.large. A large list is worked on beside all else."""
        from firmware.ocpp.unread import receive_large

        await receive_large(self, self._schema, self._log, message)

    def close(self):
        """Ends everything: calls that wait raise LinkDown, calls of the back-end stay unanswered."""
        self.closed = True
        self._answered.wake()
        self._room.set()
        for task in (self._server, self._follower):
            if task:
                task.cancel()
        if self.large:
            self.large.cancel()
        self._server = self._follower = self.large = None
        self._inbound = []
        self._follow_ups = []

    # -- calls of the back-end

    async def admit(self, message, error=None):
        """Takes a CALL as a list; returns True when it is to be answered. Otherwise that is done, with `error` too."""
        if self.silent and self.silent():
            self._log.info("rpc", "call not answered")
            return False
        message_id = message[1] if len(message) > 1 else None
        if not _can_come_back(message_id):
            self._log.warning("rpc", "call without a message id dropped")
            return False
        error = error or self._refusal(message, message_id)
        if error:
            if type(message_id) is str:
                message_id = message_id[:_MAX_DESCRIPTION]
            await self._send_error(message_id, error)
        return not error

    async def _called(self, message):
        if not await self.admit(message):
            return
        # Waiting here keeps the peer from filling the RAM. But a handler may be waiting for an answer to a CALL of
        # ours, which only arrives if we go on receiving: then the surplus is refused.
        while len(self._inbound) >= _MAX_QUEUED and self._pending is None and not self.closed:
            self._room.clear()
            await self._room.wait()
        _, message_id, action, payload = message
        if len(self._inbound) >= _MAX_QUEUED:
            await self._send_error(message_id, CallError(GENERIC_ERROR, "too many calls at once"))
        elif not self.closed:
            self._inbound.append((message_id, action, {} if payload is None else payload))
            if not self._server:
                self._server = asyncio.create_task(self._serve())
            # What can be answered at once is, before anything behind it is looked at, which may end the link.
            await asyncio.sleep(0)

    def _refusal(self, message, message_id):
        """Returns the CallError for a CALL that breaks the wrapper's rules (§4.2.3), or None."""
        if len(message) != 4 or type(message[2]) is not str:
            return CallError(FORMATION_VIOLATION, "a CALL is [2, id, action, payload]")
        if not 0 < len(str(message_id)) <= _MAX_ID:
            return CallError(FORMATION_VIOLATION, "message id has not 1 to 36 characters")
        for call in self._inbound:
            if call[0] == message_id:
                return CallError(PROTOCOL_ERROR, "message id is in use")
        if self.large and self.large.message_id == message_id:
            return CallError(PROTOCOL_ERROR, "message id is in use")
        return None

    async def _serve(self):
        """Answers calls until there are no more. A link that breaks ends it: whoever receives will notice too."""
        try:
            while self._inbound:
                await self.answer(*self._inbound[0])
                self._inbound.pop(0)
                self._room.set()
        except (OSError, MemoryError) as exc:
            self._inbound = []
            self._room.set()
            self.unsent(exc)
        self._server = None

    def unsent(self, exc):
        """An answer could not be sent."""
        self._log.warning("rpc", "answer not sent: %s", exc)
        if self.failed:
            self.failed("answer not sent")

    async def answer(self, message_id, action, payload):
        """Answers a CALL. `payload` may be a coroutine function that returns it, checked, or raises CallError."""
        text, follow_up = await self._text_of_answer(message_id, action, payload)
        sending = self._send_pieces(*text) if type(text) is tuple else self._send(text)
        text = None  # not held while its frame is on its way
        await sending
        if follow_up:
            self._follow(follow_up)

    async def _text_of_answer(self, message_id, action, payload):
        """Returns (text of the answer, what is to follow it or None); see _text_of_long() for what the text may be.

        Of its objects nothing is held any longer.
        """
        try:
            if callable(payload):
                payload = await payload()
            else:
                self._schema.accept(action, payload)
            answer = self._handle(action, payload)
            if hasattr(answer, "send"):  # a coroutine
                answer = await answer
            if type(answer) is LongAnswer:
                return await self._text_of_long(message_id, action, answer), None
            answer, follow_up = answer if isinstance(answer, tuple) else (answer, None)
            self._schema.validate(action, answer, True)
            return _dump([_CALLRESULT, message_id, answer]), follow_up
        except CallError as exc:
            self._log.info("rpc", "%s refused: %s", action, exc)
            return _dump_error(message_id, exc), None
        except Exception as exc:
            self._log.exception("rpc " + action, exc)
            return _dump_error(message_id, CallError(INTERNAL_ERROR)), None

    async def _text_of_long(self, message_id, action, answer):
        """Returns the text of a LongAnswer, or if that is long its bytes and an iterator over its pieces.

        Others have their turn between its items.
        """
        name = answer.name
        text = comma = ""
        size = 0
        for item in answer.items():
            if comma:
                await asyncio.sleep(0)
            self._schema.validate_item(action, name, item)
            text += comma + _dump(item)
            comma = ","
            if len(text) > _TEXT:
                size += len(text.encode())
                text = ""
        if len(answer.payload) > 1:  # what there is beside the list
            self._schema.validate(action, answer.payload, True)
        rest = _dump([_CALLRESULT, message_id, answer.payload])
        # Within a string the quotation marks would have backslashes.
        at = rest.find('"%s":[' % name) + len(name) + 4
        if not size:
            return rest[:at] + text + rest[at:]
        size += len(text.encode()) + len(rest.encode())
        return size, _pieces(rest[:at], answer.items(), rest[at:])

    async def _send_error(self, message_id, error):
        await self._send(_dump_error(message_id, error))

    def _follow(self, follow_up):
        """Has `follow_up` called in a task of its own: it may send a CALL, and calls are answered meanwhile."""
        self._follow_ups.append(follow_up)
        if len(self._follow_ups) > _MAX_QUEUED:
            self._log.warning("rpc", "too much to be done after answers, one dropped")
            self._follow_ups.pop()
        if not self._follower:
            self._follower = asyncio.create_task(self._run_follow_ups())

    async def _run_follow_ups(self):
        while self._follow_ups:
            try:
                result = self._follow_ups[0]()
                if hasattr(result, "send"):  # a coroutine
                    await result
            except OSError as exc:
                self._log.info("rpc", "after an answer: %s", exc)
            except Exception as exc:
                self._log.exception("rpc", exc)
            self._follow_ups.pop(0)
        self._follower = None


def _can_come_back(message_id):
    """Tells whether a call can be answered by this id: text, or a number, which back-ends use against §4.1.4."""
    if type(message_id) is int:
        return len(str(message_id)) <= _MAX_DESCRIPTION
    if type(message_id) is float:
        return message_id - message_id == 0  # neither infinite nor no number
    return type(message_id) is str


def _pieces(head, items, tail):
    """Yields the text of a long answer. Most pieces are empty: others have their turn after each item."""
    text = head
    comma = ""
    for item in items:
        text += comma + _dump(item)
        comma = ","
        piece = ""
        if len(text) > _TEXT:
            piece, text = text, piece
        yield piece
    yield text + tail


def _dump(message):
    return json.dumps(message, separators=(",", ":"))


def _dump_error(message_id, error):
    return _dump([_CALLERROR, message_id, error.code, error.description[:_MAX_DESCRIPTION], error.details])


def _received_error(message):
    """Returns the CallError of a CALLERROR, whatever it has for code, description and details."""
    code = message[2] if len(message) > 2 and type(message[2]) is str else GENERIC_ERROR
    description = message[3] if len(message) > 3 and type(message[3]) is str else ""
    details = message[4] if len(message) > 4 and type(message[4]) is dict else None
    return CallError(code, description, details)
