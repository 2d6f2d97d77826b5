"""Connection of a station: OCPP-J 1.6 messages, strictly checked in both directions."""

import asyncio
import json
import time
import uuid

from websockets.exceptions import ConnectionClosed

from tools.csms import schemas
from tools.csms.records import CallFailed, Message

_CALL, _CALLRESULT, _CALLERROR = 2, 3, 4
_MAX_ID = 36  # characters, OCPP-J 1.6 §4.1.4
_ERROR_CODES = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",  # spelling of OCPP-J 1.6 §4.2.3
    "TypeConstraintViolation",
    "GenericError",
}


class Conversation:
    def __init__(self, system, station, socket):
        self._system = system
        self._station = station
        self._socket = socket
        self._ids = set()  # of the station's CALLs in this connection
        self._unanswered = set()  # those of them whose answer has not been sent yet
        self._pending = {}  # id of our CALL -> (action, future)
        self._tasks = set()

    async def run(self):
        """Reads until the connection ends; raises ConnectionClosed unless it was closed properly."""
        async for text in self._socket:
            if isinstance(text, bytes):
                self._violation("sends a binary frame")
                continue
            self._system.record_frame(self._station, "in", text)
            self._read(text)

    def lost(self):
        """The connection is lost: ends pending calls."""
        for _, future in self._pending.values():
            future.cancel()
        for task in self._tasks:
            task.cancel()

    async def call(self, action, payload):
        """Sends a CALL and returns the payload of the CALLRESULT; raises CallFailed or ValueError (bad payload)."""
        wrong = schemas.violations(action, payload)
        if wrong:
            raise ValueError(f"{action}: {'; '.join(wrong)}")
        call_id = str(uuid.uuid4())
        future = asyncio.get_running_loop().create_future()
        self._pending[call_id] = action, future  # kept until answered, so a late answer is not an unknown id
        await self.send(json.dumps([_CALL, call_id, action, payload]))
        return await future

    async def send(self, text):
        if isinstance(text, str):
            self._system.record_frame(self._station, "out", text)
        await self._socket.send(text)

    async def send_raw(self, data):
        self._socket.transport.write(data)

    async def close(self, code):
        await self._socket.close(code)

    async def abort(self):
        self._socket.transport.abort()

    def _violation(self, text):
        self._system.record_violation(self._station, text)

    def _read(self, text):
        try:
            message = json.loads(text)
        except ValueError:
            return self._violation(f"sends text that is not JSON: {text[:80]!r}")
        match message:
            case [2, str(call_id), str(action), dict(payload)]:
                self._read_call(call_id, action, payload)
            case [3, str(call_id), dict(payload)]:
                self._read_result(call_id, payload)
            case [4, str(call_id), str(code), str(description), dict(details)]:
                self._read_error(call_id, code, description, details)
            case _:
                self._violation(f"sends an invalid message: {text[:80]!r}")

    def _read_call(self, call_id, action, payload):
        message = Message(time.time(), self._station, call_id, action, payload)
        message.violations = schemas.violations(action, payload) + self._ill_timed(call_id, action)
        if not 0 < len(call_id) <= _MAX_ID:
            message.violations.append(f"its id has {len(call_id)} characters (OCPP-J 1.6 §4.1.4)")
        for violation in message.violations:
            self._violation(f"{action}: {violation}")
        self._ids.add(call_id)
        self._system.record_call(message)
        if action not in self._system.policy.silent:
            self._unanswered.add(call_id)
            task = asyncio.ensure_future(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _ill_timed(self, call_id, action):
        """Returns what is wrong with the time of this CALL."""
        wrong = []
        if call_id in self._ids:
            wrong.append("its id was used before in this connection (OCPP-J 1.6 §4.1.4)")
        if self._unanswered:
            wrong.append("it was sent before the answer to the previous one (OCPP-J 1.6 §4.1.1)")
        registration = self._system.registered.get(self._station)
        # Allowed while Pending: the central system may have triggered the message (OCPP 1.6 §4.2).
        if action != "BootNotification" and registration in (None, "Rejected"):
            wrong.append(f"the station is not registered but {registration} (OCPP 1.6 §4.2)")
        return wrong

    async def _answer(self, message):
        policy = self._system.policy
        delay = policy.delays.get(message.action, 0)
        if delay:
            # The station may time out meanwhile and send its next message.
            self._unanswered.discard(message.id)
        await asyncio.sleep(policy.latency + delay)
        answer, code = None, policy.errors.get(message.action)
        if not code and not schemas.known(message.action):
            code = "NotImplemented"
        if not code and schemas.violations(message.action, message.payload):
            code = "FormationViolation"
        if not code:
            answer = policy.answer(message, self._system.ledger)
            if answer is None:
                code = "NotSupported"  # only the central system may send this action
        if code:
            reply = [_CALLERROR, message.id, code, "", {}]
        else:
            for violation in schemas.violations(message.action, answer, response=True):
                self._violation(f"is answered wrongly, {message.action}: {violation}")
            reply = [_CALLRESULT, message.id, answer]
        if message.action == "BootNotification" and answer:
            self._system.registered[self._station] = answer.get("status")
        self._unanswered.discard(message.id)
        try:
            await self.send(json.dumps(reply))
        except ConnectionClosed:
            return
        message.answer, message.error = answer, code
        self._system.record_answered()

    def _read_result(self, call_id, payload):
        action, future = self._claim(call_id)
        if action:
            for violation in schemas.violations(action, payload, response=True):
                self._violation(f"{action}.conf: {violation}")
            if not future.done():
                future.set_result(payload)

    def _read_error(self, call_id, code, description, details):
        if code not in _ERROR_CODES:
            self._violation(f"sends a CALLERROR with the unknown code {code!r} (OCPP-J 1.6 §4.2.3)")
        if len(description) > 255:
            self._violation("sends a CALLERROR with more than 255 characters of description (OCPP-J 1.6 §4.2.3)")
        _, future = self._claim(call_id)
        if future and not future.done():
            future.set_exception(CallFailed(code, description, details))

    def _claim(self, call_id):
        """Returns (action, future) of our CALL that is answered here, (None, None) and a violation if there is none."""
        action, future = self._pending.pop(call_id, (None, None))
        if action is None:
            self._violation(f"answers {call_id!r}, which is unknown or already answered")
        return action, future
