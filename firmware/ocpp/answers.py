"""Answers the calls of the back-end, in the order in which they arrived (OCPP-J 1.6 §4.1.1)."""

import asyncio

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.errors import GENERIC_ERROR, INTERNAL_ERROR, CallError
from firmware.ocpp.protocol import LongAnswer

_MAX_QUEUED = const(8)  # calls that wait for their turn


class Answers:
    """The answers on one link. `socket` is a WebSocket.

    `handle(action, payload)` answers: it returns the payload of the answer, or a tuple of that and a function to be
    called once the answer has been sent, or a LongAnswer; it may be a coroutine function and may raise CallError.
    `failed(reason)` is emitted when no more than half an answer was sent.
    """

    def __init__(self, socket, protocol, handle, log):
        self._socket = socket
        self._protocol = protocol
        self._handle = handle
        self._log = log
        self._inbound = []  # Calls to be answered; the first one is in work
        self._server = None  # task that answers them, while there are any
        self._follow_ups = []  # functions to be called after an answer; the first one is in work
        self._follower = None  # task that calls them, while there are any
        self._room = asyncio.Event()  # set when a call may have room
        self._large = None  # the LargeMessage in work
        self._large_server = None  # task that answers it
        self._closed = False
        self.failed = Signal()

    @property
    def busy(self):
        """True while a call of the back-end is in work."""
        return bool(self._inbound or self._large)

    def look_for_room(self):
        """Has take() look anew whether it has to wait."""
        self._room.set()

    async def take(self, call, asking):
        """Takes a Call to be answered. Waits while too many are in work, to slow the back-end down.

        `asking()` tells whether a CALL of ours is on its way. A handler may be waiting for its answer, which only
        arrives if we go on receiving: then the surplus is refused.
        """
        while len(self._inbound) >= _MAX_QUEUED and not asking() and not self._closed:
            self._room.clear()
            await self._room.wait()
        if self._closed:
            return
        if len(self._inbound) >= _MAX_QUEUED:
            self._protocol.done(call)
            error = CallError(GENERIC_ERROR, "too many calls at once")
            await self._socket.send(self._protocol.error(call.message_id, error))
            return
        self._inbound.append(call)
        if not self._server:
            self._server = asyncio.create_task(self._serve())
        # What can be answered at once is, before anything behind it is looked at, which may end the link.
        await asyncio.sleep(0)

    def take_large(self, call, message):
        """Takes a Call whose payload is in a LargeMessage. It is worked on beside the others."""
        self._large = message
        self._large_server = asyncio.create_task(self._serve_large(call, message))

    def close(self):
        """Calls in work and those that wait stay unanswered."""
        self._closed = True
        self._room.set()
        for task in (self._server, self._follower, self._large_server):
            if task:
                task.cancel()
        if self._large:
            self._large.discard()  # a task that has not begun cannot
        self._server = self._follower = self._large_server = self._large = None
        self._inbound = []
        self._follow_ups = []

    async def _serve(self):
        """Answers calls until there are no more. A link that breaks ends it: whoever receives will notice too."""
        try:
            while self._inbound:
                call = self._inbound[0]
                await self._answer(call, None)
                self._inbound.pop(0)
                self._room.set()
        except (OSError, MemoryError) as exc:
            for call in self._inbound:
                self._protocol.done(call)
            self._inbound = []
            self._room.set()
            self._unsent(exc)
        self._server = None

    async def _serve_large(self, call, message):
        try:
            await self._answer(call, message)
        except (OSError, MemoryError) as exc:
            self._protocol.done(call)
            self._unsent(exc)
        finally:
            message.discard()
            if self._large is message:
                self._large = self._large_server = None

    def _unsent(self, exc):
        self._log.warning("rpc", "answer not sent: %s", exc)
        self.failed.emit("answer not sent")

    async def _answer(self, call, message):
        text, follow_up = await self._text_of_answer(call, message)
        # Who has read the answer may use its id again, and that may come before send() has returned.
        self._protocol.done(call)
        if type(text) is tuple:
            await self._socket.send_pieces(*text)
        else:
            await self._socket.send(text)
        if follow_up:
            self._follow(follow_up)

    async def _text_of_answer(self, call, message):
        """Returns (what to send, see Protocol.long_result(), and what is to follow it or None)."""
        protocol = self._protocol
        try:
            if message:
                call.payload = await message.payload(call.action, protocol)
            else:
                protocol.accept(call.action, call.payload)
            answer = self._handle(call.action, call.payload)
            if hasattr(answer, "send"):  # a coroutine
                answer = await answer
            if type(answer) is LongAnswer:
                for text in protocol.long_result(call, answer):
                    if text is not None:
                        return text, None
                    await asyncio.sleep(0)
            answer, follow_up = answer if isinstance(answer, tuple) else (answer, None)
            return protocol.result(call, answer), follow_up
        except CallError as exc:
            self._log.info("rpc", "%s refused: %s", call.action, exc)
            return protocol.error(call.message_id, exc), None
        except Exception as exc:
            self._log.exception("rpc " + call.action, exc)
            return protocol.error(call.message_id, CallError(INTERNAL_ERROR)), None

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
