"""Moves messages between WebSocket and Protocol, for one link: calls, answers, large messages.

Messages that cannot be read are logged and dropped.
"""

from firmware.ocpp.answers import Answers
from firmware.ocpp.calls import Calls
from firmware.ocpp.errors import GENERIC_ERROR, CallError
from firmware.ocpp.protocol import Answer, Call, Ignored, Refused


class Peer:
    """The back-end at the other end of a link.

    `socket` is a WebSocket; `handle` see Answers; while `silent()` returns True, calls are not answered, not even
    malformed ones. `failed(reason)` see Answers, `timed_out(unanswered)` see Calls.
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
        """True while a call of the back-end is being processed."""
        return self._answers.busy

    @property
    def unanswered(self):
        """Number of our calls in a row that timed out."""
        return self._calls.unanswered

    async def receive(self, text):
        """Takes a message. Waits while too many calls of the back-end are queued."""
        await self._take(self._protocol.receive(text))

    async def receive_large(self, message):
        """Takes a complete LargeMessage: a long list is processed in parallel, other messages are parsed as a whole."""
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
            self._log.info("rpc", "call not answered while the station is rejected")
            if kind is Call:
                self._protocol.done(event)
        elif kind is Refused:
            self._log.info("rpc", "call refused: %s", event.error)
            await self._socket.send(event.text)
        else:
            await self._answers.take(event, self._calls.busy)

    def close(self):
        """Ends all calls: ours raise LinkDown, those of the back-end stay unanswered."""
        self._calls.close()
        self._answers.close()
