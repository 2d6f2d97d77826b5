"""Rules of OCPP-J 1.6: sub-protocol, error code spelling, answers to unreadable messages, streamed lists."""

from firmware.ocpp.errors import OCCURRENCE_VIOLATION
from firmware.ocpp.registration import ACCEPTED, NONE, PENDING, REJECTED
from firmware.ocpp.schema import Schema


class Rules:
    """The rules for a Protocol and a link. `schema` checks payloads.

    `unreadable`, `unknown_type`: error code to answer a text that is not a message, or a message of unknown type; None:
    dropped. `names`: error codes that are spelled differently on the wire. `streamed`: {action: field} of the lists
    that may exceed the RAM. `registration` see Registration.
    """

    subprotocol = "ocpp1.6"
    unreadable = None  # no id to answer to
    unknown_type = None  # §4.1.3
    names = {OCCURRENCE_VIOLATION: "OccurenceConstraintViolation"}  # spelled this way by errata 5.2
    streamed = {"SendLocalList": "localAuthorizationList"}
    # §4.2: a rejected station answers nothing, not even malformed messages.
    registration = {
        NONE: (False, True),
        ACCEPTED: (True, True),
        PENDING: (True, True),
        REJECTED: (False, False),
    }

    def __init__(self):
        self.schema = Schema("firmware/ocpp/v16/schemas.txt")

    def payload(self, value):
        """Returns the payload, {} for null (§4.2.2)."""
        return {} if value is None else value
