"""What the value of a setting must be besides its type and range; settings.txt names these functions."""

_ROTATIONS = ("NotApplicable", "Unknown", "RST", "RTS", "SRT", "STR", "TRS", "TSR")
_HEX = "0123456789abcdefABCDEF"


def phase_rotation(items):
    """Checks the items of ConnectorPhaseRotation, such as `1.RST` (OCPP 1.6 §9.1.8)."""
    for item in items:
        connector, dot, rotation = item.partition(".")
        if not connector.isdigit() or rotation not in _ROTATIONS:
            raise ValueError("not a phase rotation")


def authorization_key(text):
    """Checks an AuthorizationKey: 32 to 40 hex digits, or a password of 16 to 20 printable ASCII characters."""
    if len(text) % 2 == 0 and 32 <= len(text) <= 40 and all(c in _HEX for c in text):
        return
    if not 16 <= len(text) <= 20 or not all(" " < c <= "~" for c in text):
        raise ValueError("neither 32 to 40 hex digits nor 16 to 20 characters")


def backend_url(text):
    """Checks CentralSystemUrl; the station appends "/" and ChargePointId to it (OCPP-J 1.6 §3.1.1)."""
    if text and not text.lower().startswith(("ws://", "wss://")):
        raise ValueError("not a ws:// or wss:// address")


CHECKS = {"phase_rotation": phase_rotation, "authorization_key": authorization_key, "backend_url": backend_url}
