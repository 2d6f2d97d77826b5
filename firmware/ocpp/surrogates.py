r"""Escaped surrogate pairs in JSON (\ud83d\ude00), which stand for one character.

MicroPython's json keeps them as two code points, and what it then sends is not UTF-8.
"""


def joined(text):
    """Returns the text of a message with a character for each surrogate pair, and U+FFFD for a lone one."""
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
