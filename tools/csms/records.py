"""Records of messages: frames, calls of stations with their answers."""

from dataclasses import dataclass, field


class CallFailed(Exception):
    """The station answered a CALL with a CALLERROR."""

    def __init__(self, code, description, details):
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.details = details


@dataclass
class Frame:
    """One text frame as sent on the wire."""

    t: float  # Unix seconds
    station: str
    direction: str  # "in": from the station, "out": to it
    text: str


@dataclass
class Message:
    """A CALL of a station and its answer. `message["meterStart"]` is a field of the payload."""

    t: float
    station: str
    id: str
    action: str
    payload: dict
    violations: list = field(default_factory=list)
    answer: dict | None = None  # None: not (yet) answered, or answered with an error
    error: str | None = None  # code of the CALLERROR that was the answer

    @property
    def answered(self):
        return self.answer is not None or self.error is not None

    def __getitem__(self, name):
        return self.payload[name]

    def get(self, name, default=None):
        return self.payload.get(name, default)

    @property
    def transaction_id(self):
        """The transactionId in the payload or in the answer."""
        return self.payload.get("transactionId", (self.answer or {}).get("transactionId"))

    def matches(self, fields):
        """Returns True when the payload has these values; a callable value is called with the field."""
        return all(
            name in self.payload and (value(self.payload[name]) if callable(value) else self.payload[name] == value)
            for name, value in fields.items()
        )
