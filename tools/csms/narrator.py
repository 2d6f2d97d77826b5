"""Shows OCPP messages as one line each; answers with the action of their call."""

import json


class Narrator:
    def __init__(self):
        self._actions = {}  # message id -> action

    def line(self, frame):
        """Returns `← StartTransaction connectorId=1 ...`, `→ StartTransaction.conf transactionId=1 ...`."""
        arrow = "←" if frame.direction == "in" else "→"
        try:
            kind, message_id, *rest = json.loads(frame.text)
            if kind == 2:
                self._actions[message_id] = rest[0]
                return f"{arrow} {rest[0]} {fields(rest[1])}".rstrip()
            action = self._actions.pop(message_id, "?")
            if kind == 3:
                return f"{arrow} {action}.conf {fields(rest[0])}".rstrip()
            return f"{arrow} {action} failed: {' '.join(map(str, rest))}"
        except (ValueError, TypeError, IndexError, AttributeError):
            return f"{arrow} {frame.text[:200]!r}"


def fields(payload):
    """Returns a payload as `name=value name=value`, with shortened meter values."""
    return " ".join(f"{name}={_value(name, value)}" for name, value in payload.items())


def _value(name, value):
    if name in ("meterValue", "transactionData"):
        sampled = [sample for entry in value for sample in entry["sampledValue"]]
        shown = [f"{s.get('measurand', 'Energy')} {s['value']} {s.get('unit', '')}".strip() for s in sampled[:3]]
        return f"[{', '.join(shown + ['...'] * (len(sampled) > 3))}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
