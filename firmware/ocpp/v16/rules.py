"""Rules of OCPP-J 1.6: sub-protocol, error code spelling, answers to unreadable messages, streamed lists."""

from firmware.ocpp.errors import OCCURRENCE_VIOLATION
from firmware.ocpp.registration import ACCEPTED, NONE, PENDING, REJECTED
from firmware.ocpp.schema import Schema


class Rules:
    """The rules for a Protocol and a link. `schema` checks payloads.

    `unreadable`, `unknown_type`: the error that answers text which is no message, and a message of an unknown type;
    None: it is dropped. `names` are the error codes that are spelled otherwise on the wire. `streamed` has the lists
    that may be longer than what fits into RAM: action -> field. `registration` see Registration.
    """

    subprotocol = "ocpp1.6"
    unreadable = None  # there is no id that could be answered
    unknown_type = None  # §4.1.3
    names = {OCCURRENCE_VIOLATION: "OccurenceConstraintViolation"}  # errata 5.2 keeps it so
    streamed = {"SendLocalList": "localAuthorizationList"}
    # §4.2: a rejected station does not answer, not even to say that a message makes no sense.
    registration = {
        NONE: (False, True),
        ACCEPTED: (True, True),
        PENDING: (True, True),
        REJECTED: (False, False),
    }

    def __init__(self):
        self.schema = Schema("firmware/ocpp/v16/schemas.txt")

    def payload(self, value):
        """Returns the payload that a message means: null is the same as {} (§4.2.2)."""
        return {} if value is None else value
