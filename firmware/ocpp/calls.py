"""Sends our calls and waits for their answers: one at a time (OCPP-J 1.6 §4.1.1), timeouts, late answers."""

import asyncio

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.errors import LinkDown, RpcTimeout
from firmware.ocpp.waker import Waker

_BESIDE_STEP_MS = const(100)


class _Sent:
    """A CALL that has been sent. `answer` is its Answer, None until that arrives."""

    def __init__(self, message_id, action, now_ms, timeout_s, patience_s):
        self.message_id = message_id
        self.action = action
        self.timeout_s = timeout_s
        self.deadline_ms = now_ms + timeout_s * 1000
        self.patient_ms = now_ms + patience_s * 1000 if patience_s else self.deadline_ms
        self.answer = None

    def silence(self):
        return RpcTimeout("no answer to %s in %d s" % (self.action, self.timeout_s))

    def end(self):
        return LinkDown("connection closed before the answer to " + self.action)


class Calls:
    """The calls of one link. `send(text)` is that of a WebSocket, `begun()` is called when a CALL is sent.

    `timed_out(unanswered)` is emitted when a CALL times out; `unanswered` counts time-outs in a row.
    """

    def __init__(self, send, protocol, log, clock, begun):
        self._send = send
        self._protocol = protocol
        self._log = log
        self._clock = clock
        self._begun = begun
        self._turn = asyncio.Lock()
        self._answered = Waker(clock)
        self._pending = None  # the _Sent that waits for its answer
        self._repeats = None  # its Transmissions, None for a message that is sent only once
        self._transmissions = None  # those of the message whose late answers are accepted
        self._queued = 0  # CALLs with patience_s that wait for their turn
        self._beside = []  # _Sents that still wait for an answer but let another CALL be sent
        self._closed = False
        self.unanswered = 0
        self.timed_out = Signal(log.observer_failed)

    def busy(self):
        """Returns True while a CALL of ours waits for its answer."""
        return self._pending is not None

    async def call(self, action, payload, timeout_s, transmissions=None, patience_s=None):
        """Sends a CALL; returns the payload of its CALLRESULT, in which any field may be missing or None.

        `transmissions` are the Transmissions of a message that may have been sent before: an answer to any of them is
        returned, and if one has already arrived the message is not sent again.

        `patience_s`: without an answer after this time the next waiting CALL with patience_s is sent, so that one
        user's unanswered Authorize does not block all other users. A later answer is still returned.

        Raises CallError for a CALLERROR, and at once for a payload that breaks the schema; InvalidAnswer for a
        CALLRESULT that cannot be read; RpcTimeout after `timeout_s` without answer; LinkDown when the connection ends.
        """
        message_id, text = self._protocol.call(action, payload)
        if transmissions:
            self._transmissions = transmissions
        await self._acquire_turn(patience_s)
        try:
            if self._closed:
                raise LinkDown("connection is closed")
            answer = transmissions and transmissions.claim()
            if not answer:
                sent = _Sent(message_id, action, self._clock.ms(), timeout_s, patience_s)
                answer = await self._exchange(sent, text, transmissions)
        finally:
            self._turn.release()
        if answer is None:
            answer = await self._wait_beside(sent)
        if answer.error:
            raise answer.error
        for remark in self._protocol.read(action, answer.payload):
            self._log.warning("rpc", "answer to %s: %s", action, remark)
        return answer.payload

    async def _acquire_turn(self, patience_s):
        if not patience_s:
            await self._turn.acquire()
            return
        self._queued += 1
        self._answered.wake()  # the CALL that is waiting may have to let this one go first
        try:
            await self._turn.acquire()
        finally:
            self._queued -= 1

    async def _exchange(self, sent, text, transmissions):
        """Sends a CALL and returns its Answer, or None when its patience ended and another CALL is sent first."""
        self._pending = sent
        self._repeats = transmissions
        self._begun()
        if transmissions:
            transmissions.add(sent.message_id)
        try:
            await self._send(text)
            answer = await self._wait_for_answer(sent)
            if answer is None:
                self._beside.append(sent)
            return answer
        finally:
            self._pending = self._repeats = None

    async def _wait_for_answer(self, sent):
        while sent.answer is None:
            if self._closed:
                raise sent.end()
            now_ms = self._clock.ms()
            left_ms = sent.deadline_ms - now_ms
            if left_ms <= 0:
                self.unanswered += 1
                self.timed_out.emit(self.unanswered)
                raise sent.silence()
            if self._queued and sent.patient_ms < sent.deadline_ms:
                if now_ms >= sent.patient_ms:
                    return None
                left_ms = min(left_ms, sent.patient_ms - now_ms)
            await self._answered.wait(left_ms)
        self.unanswered = 0
        return sent.answer

    async def _wait_beside(self, sent):
        """Returns the answer to a CALL whose patience has ended."""
        try:
            while sent.answer is None:
                if self._closed:
                    raise sent.end()
                if self._clock.ms() >= sent.deadline_ms:
                    raise sent.silence()
                await self._clock.sleep_ms(_BESIDE_STEP_MS)
            return sent.answer
        finally:
            self._beside.remove(sent)

    async def receive(self, answer):
        """Takes an Answer. Returns when the caller has received it."""
        message_id = answer.message_id
        late = self._transmissions
        known = late.take(message_id) if late else False
        sent = self._pending
        if sent and (message_id == sent.message_id or (known and self._repeats is late)):
            if sent.answer is None:
                sent.answer = answer
                self._answered.wake()
                # The caller reads it before the next message is processed: a registration status applies at once.
                while self._pending is sent:
                    await asyncio.sleep(0)
            return
        if known:
            self._log.info("rpc", "late answer accepted")
            self.unanswered = 0  # the back-end is slow, not gone
            late.keep(answer)
            return
        for sent in self._beside:
            if sent.message_id == message_id:
                self.unanswered = 0
                sent.answer = answer
                return
        self._log.info("rpc", "response without a pending call")

    def close(self):
        """Ends all waiting calls: they raise LinkDown."""
        self._closed = True
        self._answered.wake()
