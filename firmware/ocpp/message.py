"""Reads the JSON of an OCPP-J message: within limits, and into text that can go back on the wire."""

import json

from micropython import const

MAX_DEPTH = const(16)  # objects and lists in each other; OCPP 1.6 needs 8, the wrapper included


def parse(text):
    """Returns the message as a list. Raises ValueError for anything but a JSON list of bounded depth."""
    # json.loads() of MicroPython goes down any depth and spends 32 bytes on each bracket.
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    if "\\ud" in text or "\\uD" in text:
        text = _join_surrogates(text)
    message = json.loads(text)
    if type(message) is not list:
        raise ValueError("not a JSON list")
    return message


def _check_depth(text):
    """Raises ValueError when brackets nest too deep; those inside of strings do not count."""
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    depth = 0
    inside = False  # of a string
    for part in text.split('"'):
        if not inside:
            depth = _depth_after(part, depth)
        inside = not inside


def _depth_after(part, depth):
    deepest = depth + part.count("[") + part.count("{")
    if deepest <= MAX_DEPTH:  # whatever the order: counting is much faster than looking at each character
        return deepest - part.count("]") - part.count("}")
    for character in part:
        if character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError("nested deeper than %d" % MAX_DEPTH)
        elif character in "]}":
            depth -= 1
    return depth


def _join_surrogates(text):
    r"""Replaces escaped surrogate pairs (\ud83d\ude00) by their character, and lone ones by U+FFFD.

    MicroPython keeps them as two code points, and what it then sends is not UTF-8.
    """
    data = text.encode()  # in bytes an index costs nothing, in text it counts characters from the beginning
    parts = []
    start = at = 0
    while True:
        at = data.find(b"\\", at)
        if at < 0:
            parts.append(data[start:])
            return b"".join(parts).decode()
        high = _surrogate(data, at)
        if high is None:
            at += 2  # another escape: its second character is no backslash of an own
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
    """Returns the surrogate whose escape begins at index `at`, or None when there is none."""
    if data[at : at + 3] not in (b"\\ud", b"\\uD"):
        return None
    digits = data[at + 2 : at + 6]
    if len(digits) != 4 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        return None  # json.loads() will complain
    code = int(digits, 16)
    return code if code >= 0xD800 else None
