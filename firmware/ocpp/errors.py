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
    """A CALLERROR. Handlers raise it to send one; Calls.call() raises it when one was received."""

    def __init__(self, code, description="", details=None):
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.details = details or {}

    def __str__(self):
        return "%s: %s" % (self.code, self.description) if self.description else self.code


class InvalidAnswer(CallError):
    """The CALLRESULT breaks the schema. The back-end has processed the CALL; sending it again would repeat it."""


class RpcTimeout(OSError):
    """No answer in time. The back-end may or may not have processed the CALL."""


class LinkDown(OSError):
    """The connection ended before the answer. The back-end may or may not have processed the CALL."""
