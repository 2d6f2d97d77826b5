"""Answers the calls of the back-end, in the order in which they arrived (OCPP-J 1.6 §4.1.1)."""

import asyncio

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.errors import GENERIC_ERROR, INTERNAL_ERROR, CallError
from firmware.ocpp.protocol import LongAnswer

_MAX_QUEUED = const(8)  # calls that wait for their turn


class Answers:
    """The answers on one link. `socket` is a WebSocket.

    `handle(action, payload)` returns the payload of the answer, or (payload, function to call after the answer was
    sent), or a LongAnswer; it may be a coroutine function and may raise CallError. `failed(reason)` is emitted when an
    answer could not be sent completely.
    """

    def __init__(self, socket, protocol, handle, log):
        self._socket = socket
        self._protocol = protocol
        self._handle = handle
        self._log = log
        self._inbound = []  # Calls to answer; the first one is being processed
        self._server = None  # task that answers them; None while there are none
        self._follow_ups = []  # functions to call after an answer; the first one is running
        self._follower = None  # task that calls them; None while there are none
        self._room = asyncio.Event()  # set when a waiting take() should check again whether there is room
        self._large = None  # the LargeMessage being processed
        self._large_server = None  # task that answers it
        self._closed = False
        self.failed = Signal(log.observer_failed)

    @property
    def busy(self):
        """True while a call of the back-end is being processed."""
        return bool(self._inbound or self._large)

    def look_for_room(self):
        """Makes a waiting take() check again whether it has to wait."""
        self._room.set()

    async def take(self, call, asking):
        """Queues a Call to be answered. Waits while too many are queued, to slow the back-end down.

        `asking()` returns True while a CALL of ours waits for its answer. A handler may need that answer, which only
        arrives if we keep receiving: then surplus calls are refused instead.
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
        # Answer what can be answered at once before the next message is read, which may end the link.
        await asyncio.sleep(0)

    def take_large(self, call, message):
        """Takes a Call whose payload is in a LargeMessage. It is processed in parallel to the others."""
        self._large = message
        self._large_server = asyncio.create_task(self._serve_large(call, message))

    def close(self):
        """Drops all calls: those being processed and those queued stay unanswered."""
        self._closed = True
        self._room.set()
        for task in (self._server, self._follower, self._large_server):
            if task:
                task.cancel()
        if self._large:
            self._large.discard()  # a cancelled task that has not started does not do it
        self._server = self._follower = self._large_server = self._large = None
        self._inbound = []
        self._follow_ups = []

    async def _serve(self):
        """Answers queued calls until there are none. Ends when the link breaks; the receiving task notices that too."""
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
        # The back-end may reuse the message id as soon as it has the answer, which may be before send() returns.
        self._protocol.done(call)
        if type(text) is tuple:
            await self._socket.send_pieces(*text)
        else:
            await self._socket.send(text)
        if follow_up:
            self._follow(follow_up)

    async def _text_of_answer(self, call, message):
        """Returns (what to send, see Protocol.long_result(); function to call afterwards, or None)."""
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
        """Runs `follow_up` in a separate task: it may send a CALL, and calls are answered meanwhile."""
        self._follow_ups.append(follow_up)
        if len(self._follow_ups) > _MAX_QUEUED:
            self._log.warning("rpc", "too many actions queued after answers, one dropped")
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
                self._log.info("rpc", "action after an answer failed: %s", exc)
            except Exception as exc:
                self._log.exception("rpc", exc)
            self._follow_ups.pop(0)
        self._follower = None
