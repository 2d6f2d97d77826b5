"""Parsing and checking of setting values: type, range, choices, and the check functions that settings.txt names."""

from micropython import const
from uwebsockets.url import parse as parse_url

_BOOLS = {"true": True, "false": False}

# Units that people write after a number, and small units for which they may have meant the unit times 1000.
_UNITS = ("mA", "mV", "ms", "Wh", "A", "V", "s")
_SMALL_UNITS = ("mA", "mV", "ms")

_ROTATIONS = ("NotApplicable", "Unknown", "RST", "RTS", "SRT", "STR", "TRS", "TSR")
_HEX = "0123456789abcdefABCDEF"
_SHORTEST_WPA = const(8)  # characters of a passphrase (IEEE 802.11-2020, J.4.1)


class SettingError(ValueError):
    """A setting cannot be read or changed as requested."""


class InvalidValue(SettingError):
    """The value has the wrong type or is out of range."""


def to_text(value):
    """Returns a typed value as text for OCPP and the store."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value)


def parse(row, text):
    """Returns `text` converted to the kind of the Setting, without range checks; raises InvalidValue."""
    if row.kind == "bool":
        value = _BOOLS.get(text.strip().lower())
        if value is None:
            raise InvalidValue("%s: neither true nor false" % row.name)
        return value
    if row.kind == "int":
        digits = text.strip()
        # int() would also accept underscores and blanks after the sign.
        if not (digits[1:] if digits[:1] == "-" else digits).isdigit():
            raise InvalidValue("%s: not a whole number%s" % (row.name, _meant(row, digits)))
        return int(digits)
    if row.kind == "csl":
        items = [item.strip() for item in text.split(",")] if text.strip() else []
        if "" in items:
            raise InvalidValue("%s: empty item" % row.name)
        return items
    return text


def check_range(row, value):
    """Raises InvalidValue for an int outside the range and choices of the Setting."""
    if value in (row.choices or ()):
        return
    if row.policy == "clamp" and value >= 0:
        return
    if not row.low <= value <= row.high:
        allowed = "%d..%d" % (row.low, row.high)
        if row.choices:
            if row.low == row.high:
                allowed = str(row.low)
            allowed = ", ".join([str(choice) for choice in row.choices]) + " or " + allowed
        if row.unit:
            allowed += " " + row.unit
        raise InvalidValue("%s: %d is not within %s%s" % (row.name, value, allowed, _meant(row, str(value))))


def _meant(row, text):
    """Returns ", did you mean ...?" for a number in another unit, such as 16 or "16 A" for 16000 mA, else ""."""
    digits = text
    for unit in _UNITS:
        if text.endswith(unit):
            digits = text[: -len(unit)].strip()
            break
    if not digits.isdigit() or len(digits) > 9:
        return ""
    value = int(digits)
    for candidate in (value, value * 1000, 0 if value % 1000 else value // 1000):
        # Only small units: 5 for a setting in s is not meant as 5000.
        if candidate > value and row.unit not in _SMALL_UNITS:
            continue
        if candidate and row.low <= candidate <= row.high:
            return ", did you mean %d?" % candidate
    return ""


def check_text(row, value):
    """Raises InvalidValue for a text that is too long or not one of the Setting's choices."""
    if row.kind == "bool":
        return
    if row.high is not None and len(value) > row.high:
        raise InvalidValue("%s: longer than %d characters" % (row.name, row.high))
    if row.choices is not None and value not in row.choices:
        raise InvalidValue("%s: not one of %s" % (row.name, ",".join(row.choices)))


def phase_rotation(items):
    """Checks the items of ConnectorPhaseRotation, such as `1.RST` (OCPP 1.6 §9.1.8)."""
    for item in items:
        connector, dot, rotation = item.partition(".")
        if not connector.isdigit() or rotation not in _ROTATIONS:
            raise ValueError("not a phase rotation")


def is_hex(text):
    """True when a text has nothing but hex digits."""
    return all(c in _HEX for c in text)


def is_hex_key(text):
    """True for a key of 16 to 20 bytes in hex (security white paper A00.FR.205)."""
    return len(text) % 2 == 0 and 32 <= len(text) <= 40 and is_hex(text)


def authorization_key(text):
    """Checks an AuthorizationKey: 32 to 40 hex digits, or a password of 16 to 20 printable ASCII characters."""
    if not is_hex_key(text) and not (16 <= len(text) <= 20 and all(" " < c <= "~" for c in text)):
        raise ValueError("neither 32 to 40 hex digits nor 16 to 20 characters")


def backend_url(text):
    """Checks CentralSystemUrl; the station appends "/" and ChargePointId to it (OCPP-J 1.6 §3.1.1)."""
    if text and not text.lower().startswith(("ws://", "wss://")):
        raise ValueError("not a ws:// or wss:// address")
    if text:
        parse_url(text)


def passphrase(text):
    """Checks a password: WPA wants 8 characters at least; none for an open network."""
    if 0 < len(text) < _SHORTEST_WPA:
        raise ValueError("fewer than %d characters" % _SHORTEST_WPA)


CHECKS = {
    "phase_rotation": phase_rotation,
    "authorization_key": authorization_key,
    "backend_url": backend_url,
    "passphrase": passphrase,
}
