"""Moves messages between WebSocket and Protocol, for one link: calls, answers, large messages.

What cannot be understood is logged and dropped without disturbing anything else.
"""

from firmware.ocpp.answers import Answers
from firmware.ocpp.calls import Calls
from firmware.ocpp.errors import GENERIC_ERROR, CallError
from firmware.ocpp.protocol import Answer, Call, Ignored, Refused


class Peer:
    """The back-end at the other end of a link.

    `socket` is a WebSocket; `handle` see Answers; `silent()` tells whether calls stay unanswered, malformed ones too.
    `failed(reason)` is emitted when no more than half an answer was sent, `timed_out(unanswered)` see Calls.
    """

    def __init__(self, socket, protocol, handle, silent, log, clock):
        self._socket = socket
        self._protocol = protocol
        self._silent = silent
        self._log = log
        self._answers = Answers(socket, protocol, handle, log)
        self._calls = Calls(socket.send, protocol, log, clock, self._answers.look_for_room)
        self.call = self._calls.call
        self.failed = self._answers.failed
        self.timed_out = self._calls.timed_out

    @property
    def answering(self):
        """True while a call of the back-end is in work."""
        return self._answers.busy

    @property
    def unanswered(self):
        """Calls of ours in a row that got no answer in time."""
        return self._calls.unanswered

    async def receive(self, text):
        """Takes a message. Waits while too many calls of the back-end are in work."""
        await self._take(self._protocol.receive(text))

    async def receive_large(self, message):
        """Takes a LargeMessage that has arrived: a long list is worked on beside all else, others as a whole."""
        message.finish()
        if message.fault is None and message.streamed:
            event = self._protocol.receive_head(message.head)
            if type(event) is Call and not self._silent():
                self._answers.take_large(event, message)
                return
        else:
            event = await self._read(message)
        message.discard()
        await self._take(event)

    async def _read(self, message):
        """Returns the event of a LargeMessage that is not streamed."""
        fault = message.fault
        if not fault:
            try:
                return self._protocol.receive(await message.text())
            except (OSError, MemoryError) as exc:
                fault = "message cannot be read: %s" % exc
        return self._protocol.receive_unread(message.head, CallError(GENERIC_ERROR, fault))

    async def _take(self, event):
        kind = type(event)
        if kind is Answer:
            await self._calls.receive(event)
        elif kind is Ignored:
            log = self._log.warning if event.broken else self._log.info
            log("rpc", "%s", event.reason)
        elif self._silent():
            self._log.info("rpc", "call not answered")
            if kind is Call:
                self._protocol.done(event)
        elif kind is Refused:
            self._log.info("rpc", "call refused: %s", event.error)
            await self._socket.send(event.text)
        else:
            await self._answers.take(event, self._calls.busy)

    def close(self):
        """Ends everything: calls that wait raise LinkDown, calls of the back-end stay unanswered."""
        self._calls.close()
        self._answers.close()
