"""JSON parsing of an OCPP-J message, with limits on depth and size, and repair of surrogate pairs."""

import json

from micropython import const

MAX_DEPTH = const(16)  # nested objects and lists; OCPP 1.6 needs 8, including the wrapper
HEAD = const(512)  # bytes that contain type, id and action: an id of 36 characters takes at most 216, an action 50

# A text with a bracket in every second character is an attack: each costs 32 bytes of RAM or more.
_CHARACTERS_PER_BRACKET = const(2)


class TooComplex(ValueError):
    """Too many objects and lists, or nested too deeply."""


def parse(text):
    """Returns the message as a list. Raises ValueError for anything but a JSON list; TooComplex is a ValueError."""
    brackets = text.count("[") + text.count("{")
    if brackets > MAX_DEPTH + len(text) // _CHARACTERS_PER_BRACKET:
        raise TooComplex("too many brackets")
    if "\\ud" in text or "\\uD" in text:
        text = _joined(text)
    message = json.loads(text)
    if type(message) is not list:
        raise ValueError("not a JSON list")
    if brackets > MAX_DEPTH and _is_too_deep(message):
        raise TooComplex("nested deeper than %d" % MAX_DEPTH)
    return message


def _is_too_deep(value):
    """Returns True when objects and lists nest too deeply. Works level by level: recursion would need stack."""
    level = [value]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return True
        inner = []
        for container in level:
            for item in container.values() if type(container) is dict else container:
                if type(item) is dict or type(item) is list:
                    inner.append(item)
        level = inner
    return False


def _joined(text):
    r"""Replaces each escaped surrogate pair (\ud83d\ude00) by its character, a lone surrogate by U+FFFD.

    MicroPython's json keeps a pair as two code points, which it then encodes as invalid UTF-8.
    """
    data = text.encode()  # indexing bytes is fast; indexing a str counts characters from its start
    parts = []
    start = at = 0
    while True:
        at = data.find(b"\\", at)
        if at < 0:
            parts.append(data[start:])
            return b"".join(parts).decode()
        high = _surrogate(data, at)
        if high is None:
            at += 2  # another escape: skip its second character, which may be a backslash
            continue
        parts.append(data[start:at])
        at += 6
        low = _surrogate(data, at)
        code = 0xFFFD
        if high < 0xDC00 and low is not None and low >= 0xDC00:
            code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            at += 6
        parts.append(chr(code).encode())
        start = at


def _surrogate(data, at):
    """Returns the surrogate whose escape begins at index `at`, or None."""
    if data[at : at + 3] not in (b"\\ud", b"\\uD"):
        return None
    digits = data[at + 2 : at + 6]
    if len(digits) != 4 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        return None  # json.loads() will raise
    code = int(digits, 16)
    return code if code >= 0xD800 else None
