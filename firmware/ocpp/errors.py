"""Call errors: CALLERROR codes (OCPP-J 1.6 §4.2.3), timeout, lost link. Wire spelling: the version's rules."""

NOT_IMPLEMENTED = "NotImplemented"
NOT_SUPPORTED = "NotSupported"
INTERNAL_ERROR = "InternalError"
PROTOCOL_ERROR = "ProtocolError"
FORMATION_VIOLATION = "FormationViolation"
OCCURRENCE_VIOLATION = "OccurrenceConstraintViolation"
PROPERTY_VIOLATION = "PropertyConstraintViolation"
TYPE_VIOLATION = "TypeConstraintViolation"
GENERIC_ERROR = "GenericError"


class CallError(Exception):
    """A CALLERROR: raised by a handler it is sent, raised by Calls.call() it was received."""

    def __init__(self, code, description="", details=None):
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.details = details or {}

    def __str__(self):
        return "%s: %s" % (self.code, self.description) if self.description else self.code


class InvalidAnswer(CallError):
    """The back-end processed the CALL, but its CALLRESULT breaks the schema. Sending the CALL again would repeat it."""


class RpcTimeout(OSError):
    """There was no answer in time. The CALL may have been processed or not."""


class LinkDown(OSError):
    """The connection went before the answer came. The CALL may have been processed or not."""
