"""Reads the JSON of an OCPP-J message: within limits, and into text that can go back on the wire."""

import json

from micropython import const

MAX_DEPTH = const(16)  # objects and lists in each other; OCPP 1.6 needs 8, the wrapper included
HEAD = const(512)  # bytes that have the envelope: an id of 36 characters takes at most 216, an action 50

# More brackets than one in two characters are no message but an attack: each costs 32 bytes of RAM and more.
_CHARACTERS_PER_BRACKET = const(2)


class TooComplex(ValueError):
    """There are too many objects and lists, or they nest too deep."""


def parse(text):
    """Returns the message as a list. Raises ValueError for anything but a JSON list, TooComplex (which is one)."""
    brackets = text.count("[") + text.count("{")
    if brackets > MAX_DEPTH + len(text) // _CHARACTERS_PER_BRACKET:
        raise TooComplex("too many brackets")
    if "\\ud" in text or "\\uD" in text:
        from firmware.ocpp.surrogates import joined  # few characters need two escapes

        text = joined(text)
    message = json.loads(text)
    if type(message) is not list:
        raise ValueError("not a JSON list")
    if brackets > MAX_DEPTH and _is_too_deep(message):
        raise TooComplex("nested deeper than %d" % MAX_DEPTH)
    return message


def _is_too_deep(value):
    """Tells whether objects and lists nest too deep. Goes down level by level: recursion costs stack."""
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
