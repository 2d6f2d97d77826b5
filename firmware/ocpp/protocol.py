"""OCPP-J frames without I/O (OCPP-J 1.6 §4 with errata v1.0): CALL, CALLRESULT, CALLERROR, message ids.

Knows no socket, task or clock. What differs between versions of OCPP is in their rules, see v16/rules.py.
"""

import json
import os
from binascii import hexlify

from micropython import const

from firmware import ocpp
from firmware.ocpp.errors import (
    FORMATION_VIOLATION,
    GENERIC_ERROR,
    PROTOCOL_ERROR,
    CallError,
    InvalidAnswer,
)
from firmware.ocpp.message import HEAD, TooComplex, parse

_CALL = const(2)
_CALLRESULT = const(3)
_CALLERROR = const(4)

_MAX_ID = const(36)  # characters, §4.1.4
_MAX_DESCRIPTION = const(255)
_PIECE = const(300)  # characters of a long answer that are in RAM at a time


class MessageIds:
    """Returns a new message id at each call, unique for this station (OCPP-J errata 3.7).

    64 random bits for each power-on, and a counter.
    """

    def __init__(self, count=0):
        self._prefix = hexlify(os.urandom(8)).decode()
        self._count = count

    def __call__(self):
        self._count += 1
        return "%s-%x" % (self._prefix, self._count)


class Call:
    """A CALL of the back-end, to be answered with result() or error(). Its payload has not been checked yet."""

    def __init__(self, message_id, action, payload):
        self.message_id = message_id
        self.action = action
        self.payload = payload


class Answer:
    """An answer to a CALL of ours: a payload that has not been checked yet, or the CallError `error`."""

    def __init__(self, message_id, payload, error=None):
        self.message_id = message_id
        self.payload = payload
        self.error = error


class Refused:
    """A message that is answered at once with `text`, a CALLERROR for the reason `error`."""

    def __init__(self, text, error):
        self.text = text
        self.error = error


class Ignored:
    """A message that is not answered. `broken`: it is not an OCPP-J message."""

    def __init__(self, reason, broken):
        self.reason = reason
        self.broken = broken


class LongAnswer:
    """The payload of an answer whose list `name` is produced item by item while the text is written.

    `items()` returns an iterator over the items, which may add fields to `payload` before it ends; the list in
    `payload` is empty. A long text is measured first and then written while it is sent, which calls `items()` twice.
    """

    def __init__(self, payload, name, items):
        self.payload = payload
        self.name = name
        self.items = items


class Protocol:
    """OCPP-J on one link, by the `rules` of a version. `message_id()` returns a new id."""

    def __init__(self, rules, message_id):
        self._rules = rules
        self._schema = rules.schema
        self._message_id = message_id
        self._open = []  # ids of calls of the back-end that are being processed

    # -- received messages

    def receive(self, text):
        """Returns the event for a message: Call, Answer, Refused or Ignored. Raises nothing."""
        try:
            message = parse(text)
        except (TooComplex, MemoryError, RuntimeError) as exc:  # RuntimeError: CPython's recursion limit
            code = GENERIC_ERROR if isinstance(exc, MemoryError) else FORMATION_VIOLATION
            return self.receive_unread(text[:HEAD].encode(), CallError(code, str(exc)))
        except ValueError as exc:
            return self._senseless(self._rules.unreadable, "-1", "message dropped: %s" % exc, True)
        return self._event(message)

    def receive_unread(self, head, error):
        """Returns the event for a message of which only the bytes `head` were kept; a CALL is refused with `error`."""
        try:
            kind, message_id, action = ocpp.envelope(head)
        except ValueError:
            return Ignored("message dropped: " + error.description, True)
        if kind == _CALL:
            return self._called([kind, message_id, action, None], error)
        return self._event([kind, message_id])  # an answer without its payload

    def receive_head(self, head):
        """Returns the event for a CALL that begins with the bytes `head` and whose payload is read elsewhere."""
        kind, message_id, action = ocpp.envelope(head)
        return self._event([kind, message_id, action, None])

    def _event(self, message):
        kind = message[0] if message else None
        if kind == _CALL:
            return self._called(message)
        message_id = message[1] if len(message) > 1 else None
        if kind == _CALLERROR:
            return Answer(message_id, None, _received_error(message))
        if kind != _CALLRESULT:
            return self._senseless(self._rules.unknown_type, message_id, "message of unknown type ignored", False)
        if len(message) != 3:
            return Answer(message_id, None, InvalidAnswer(FORMATION_VIOLATION, "a CALLRESULT is [3, id, payload]"))
        return Answer(message_id, self._rules.payload(message[2]))

    def _called(self, message, error=None):
        message_id = message[1] if len(message) > 1 else None
        if not _can_come_back(message_id):
            return Ignored("call without a message id dropped", True)
        error = error or self._mistake(message, message_id)
        if error:
            return self._refuse(message_id, error)
        self._open.append(message_id)
        return Call(message_id, message[2], self._rules.payload(message[3]))

    def _mistake(self, message, message_id):
        """Returns the CallError for a CALL that breaks the wrapper's rules (§4.2.3), or None."""
        if len(message) != 4 or type(message[2]) is not str:
            return CallError(FORMATION_VIOLATION, "a CALL is [2, id, action, payload]")
        if not 0 < len(str(message_id)) <= _MAX_ID:
            return CallError(FORMATION_VIOLATION, "message id must have 1 to 36 characters")
        if message_id in self._open:
            return CallError(PROTOCOL_ERROR, "message id is in use")
        return None

    def _senseless(self, code, message_id, reason, broken):
        """Returns the event for a message that is neither call nor answer; `code`: error to answer it with, or None."""
        if code is None or not _can_come_back(message_id):
            return Ignored(reason, broken)
        return self._refuse(message_id, CallError(code, reason))

    def _refuse(self, message_id, error):
        if type(message_id) is str:
            message_id = message_id[:_MAX_DESCRIPTION]
        return Refused(self.error(message_id, error), error)

    def accept(self, action, payload):
        """Checks the payload of a Call, see Schema.accept(). Raises CallError."""
        self._schema.accept(action, payload)

    def accept_item(self, action, name, item, index):
        """Checks an item of the list `name` in a streamed Call. Raises CallError."""
        self._schema.accept_item(action, name, item, index)

    def read(self, action, payload):
        """Keeps what is valid in the payload of an Answer; returns remarks for the log. Raises InvalidAnswer."""
        try:
            return self._schema.read(action, payload)
        except CallError as exc:
            raise InvalidAnswer(exc.code, "answer to %s: %s" % (action, exc.description))

    # -- sent messages

    def call(self, action, payload):
        """Returns (message id, text) of a CALL. Raises CallError for a payload that breaks the schema."""
        self._schema.validate(action, payload)
        message_id = self._message_id()
        return message_id, _dump([_CALL, message_id, action, payload])

    def result(self, call, payload):
        """Returns the text of the CALLRESULT to a Call. Raises CallError for a payload that breaks the schema."""
        self._schema.validate(call.action, payload, True)
        return _dump([_CALLRESULT, call.message_id, payload])

    def error(self, message_id, error):
        """Returns the text of a CALLERROR."""
        code = self._rules.names.get(error.code, error.code)
        return _dump([_CALLERROR, message_id, code, error.description[:_MAX_DESCRIPTION], error.details])

    def done(self, call):
        """Frees the id of a Call that has been answered, or never will be."""
        if call.message_id in self._open:
            self._open.remove(call.message_id)

    def long_result(self, call, answer):
        """Yields None after each item of a LongAnswer, so that other tasks can run, and then what to send.

        That is its text, or for a long one (number of bytes, iterator over its pieces). Raises CallError.
        """
        name = answer.name
        text = comma = ""
        size = 0
        for item in answer.items():
            if comma:
                yield None
            self._schema.validate_item(call.action, name, item)
            text += comma + _dump(item)
            comma = ","
            if len(text) > _PIECE:
                size += len(text.encode())
                text = ""
        if len(answer.payload) > 1:  # fields besides the list
            self._schema.validate(call.action, answer.payload, True)
        rest = _dump([_CALLRESULT, call.message_id, answer.payload])
        # Cannot be found inside a string: there the quotation marks would be escaped.
        at = rest.find('"%s":[' % name) + len(name) + 4
        if size:
            size += len(text.encode()) + len(rest.encode())
            yield size, _pieces(rest[:at], answer.items(), rest[at:])
        else:
            yield rest[:at] + text + rest[at:]


def _can_come_back(message_id):
    """Returns True for an id that can be sent back: text, or a number, which some back-ends use against §4.1.4."""
    if type(message_id) is int:
        return len(str(message_id)) <= _MAX_DESCRIPTION
    if type(message_id) is float:
        return message_id - message_id == 0  # neither infinity nor NaN
    return type(message_id) is str


def _pieces(head, items, tail):
    """Yields the text of a long answer. Most pieces are empty, so that other tasks can run after each item."""
    text = head
    comma = ""
    for item in items:
        text += comma + _dump(item)
        comma = ","
        piece = ""
        if len(text) > _PIECE:
            piece, text = text, piece
        yield piece
    yield text + tail


def _dump(message):
    return json.dumps(message, separators=(",", ":"))


def _received_error(message):
    """Returns the CallError for a CALLERROR, even if its code, description or details are malformed."""
    code = message[2] if len(message) > 2 and type(message[2]) is str else GENERIC_ERROR
    description = message[3] if len(message) > 3 and type(message[3]) is str else ""
    details = message[4] if len(message) > 4 and type(message[4]) is dict else None
    return CallError(code, description, details)
