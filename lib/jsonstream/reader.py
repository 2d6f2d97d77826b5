# Incremental JSON reader with bounded memory. MIT license.
"""Reader: returns one token at a time, whole values, or the items of one array."""

from micropython import const

_MAX_NUMBER = const(64)  # characters; more digits would be an attack on int()

# Expected next:
_VALUE = const(0)
_FIRST = const(1)  # first key or item, or the end of an empty object or array
_KEY = const(2)
_AFTER = const(3)  # a comma, or the end of the object or array

_BLANK = b" \t\n\r"
_IN_NUMBER = b"+-.0123456789Ee"
_BEGINS_NUMBER = b"-0123456789"
_HEX = b"0123456789abcdefABCDEF"
_ESCAPED = {
    0x22: b'"',
    0x5C: b"\\",
    0x2F: b"/",
    0x62: b"\b",
    0x66: b"\f",
    0x6E: b"\n",
    0x72: b"\r",
    0x74: b"\t",
}
_LITERALS = {0x74: (b"true", True), 0x66: (b"false", False), 0x6E: (b"null", None)}
_REPLACEMENT = const(0xFFFD)


class JsonError(ValueError):
    """The text is not JSON."""


class TooLarge(JsonError):
    """The text exceeds a limit of the reader."""


class Reader:
    """Reads one JSON document in UTF-8 from `stream`.

    Limits: `max_depth` nested arrays and objects; `max_token` bytes of a string and of white space before a token;
    `max_size` bytes of the whole text (None: no limit). `chunk` bytes are read at once. Every method raises JsonError
    (a ValueError) for invalid JSON, TooLarge beyond a limit, and the exceptions of the stream.
    """

    def __init__(self, stream, max_depth=16, max_token=4096, max_size=None, chunk=512):
        self._stream = stream
        self._max_depth = max_depth
        self._max_token = max_token
        self._max_size = max_size
        self._chunk = chunk
        self._data = b""
        self._at = 0  # index of the first unread byte in _data
        self._before = 0  # bytes of the text before _data
        self._open = []  # "[" or "{" for each open array or object
        self._next = _VALUE
        self.value = None

    @property
    def depth(self):
        """Number of open arrays and objects."""
        return len(self._open)

    @property
    def position(self):
        """Number of bytes read."""
        return self._before + self._at

    def next(self):
        """Returns the next token: "[" "]" "{" "}", "key" or "value" (the key or value is in `value`), None at the end.

        None is only returned when only white space follows the document.
        """
        byte = self._peek()
        state = self._next
        if state == _AFTER:
            if not self._open:
                if byte >= 0:
                    raise JsonError("more than one value")
                return None
            if byte != 0x2C:
                return self._close(byte)
            self._at += 1
            byte = self._peek()
            state = _KEY if self._open[-1] == "{" else _VALUE
        elif state == _FIRST:
            if byte == 0x5D or byte == 0x7D:
                return self._close(byte)
            state = _KEY if self._open[-1] == "{" else _VALUE
        if state == _VALUE:
            return self._begin(byte)
        if byte != 0x22:
            raise JsonError("key expected")
        self.value = self._string()
        if self._peek() != 0x3A:
            raise JsonError("colon expected")
        self._at += 1
        self._next = _VALUE
        return "key"

    def read(self, token, max_bytes=None):
        """Returns the whole value that begins with `token`, the last result of next().

        `max_bytes` limits its text; the objects take up to 20 times as much RAM. The last of equal keys applies.
        """
        if token == "value":
            return self.value
        if token != "[" and token != "{":
            raise JsonError("value expected")
        begin = self.position
        root = [] if token == "[" else {}
        containers = [root]
        key = None  # its value follows at once, so one variable is enough for all levels
        while containers:
            token = self.next()
            if max_bytes is not None and self.position - begin > max_bytes:
                raise TooLarge("value of more than %d bytes" % max_bytes)
            if token == "key":
                key = self.value
            elif token == "]" or token == "}":
                containers.pop()
            else:
                item = self.value if token == "value" else [] if token == "[" else {}
                container = containers[-1]
                if isinstance(container, list):
                    container.append(item)
                else:
                    container[key] = item  # type: ignore[index]  # inferred as a collection
                if token != "value":
                    containers.append(item)
        return root

    def skip(self, token):
        """Skips the value that begins with `token`, the last result of next()."""
        if token == "[" or token == "{":
            depth = len(self._open)
            while len(self._open) >= depth:
                self.next()

    def find(self, *path):
        """Goes to the value at `path` (indexes of arrays, keys of objects) and returns its token; None: not found.

        Starts at the present position, which must be before a value. The first of equal keys applies.
        """
        token = self.next()
        for step in path:
            if token != ("{" if isinstance(step, str) else "["):
                return None
            place = 0
            while True:
                token = self.next()
                if token == "]" or token == "}":
                    return None
                if token == "key":
                    place = self.value
                    token = self.next()
                if place == step:
                    break
                self.skip(token)
                if not isinstance(step, str):
                    place += 1
        return token

    def items(self, *path, max_bytes=None):
        """Yields the items of the array at `path`, each of at most `max_bytes`. Stops reading after the array."""
        if self.find(*path) != "[":
            raise JsonError("no array at this path")
        while True:
            token = self.next()
            if token == "]":
                return
            yield self.read(token, max_bytes)

    def finish(self):
        """Reads the rest of the document, to check that all of it is JSON."""
        while self.next() is not None:
            pass

    # -- inside

    def _begin(self, byte):
        """Reads the beginning of an array or object, or all of another value."""
        self._next = _AFTER
        if byte == 0x7B or byte == 0x5B:
            if len(self._open) >= self._max_depth:
                raise TooLarge("nested deeper than %d" % self._max_depth)
            self._at += 1
            self._next = _FIRST
            token = "{" if byte == 0x7B else "["
            self._open.append(token)
            return token
        if byte == 0x22:
            self.value = self._string()
        elif byte in _LITERALS:
            self.value = self._literal(*_LITERALS[byte])
        elif byte >= 0 and byte in _BEGINS_NUMBER:
            self.value = self._number()
        else:
            raise JsonError("text ends too early" if byte < 0 else "value expected")
        return "value"

    def _close(self, byte):
        token = "}" if self._open[-1] == "{" else "]"
        if byte < 0:
            raise JsonError("text ends too early")
        if byte != ord(token):
            raise JsonError("comma or %s expected" % token)
        self._at += 1
        self._open.pop()
        self._next = _AFTER
        return token

    def _more(self):
        """Reads on; returns False at the end of the stream."""
        data = self._stream.read(self._chunk)
        if not data:
            return False
        self._before += self._at
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0
        if self._max_size is not None and self._before + len(self._data) > self._max_size:
            raise TooLarge("text of more than %d bytes" % self._max_size)
        return True

    def _have(self, count):
        """Reads until `count` more bytes are in _data; returns False if the text is shorter."""
        while len(self._data) - self._at < count:
            if not self._more():
                return False
        return True

    def _peek(self):
        """Returns the next byte that is not white space, or -1 at the end."""
        begin = self.position
        while True:
            while self._at < len(self._data):
                byte = self._data[self._at]
                if byte > 0x20 or byte not in _BLANK:
                    return byte
                self._at += 1
            if self.position - begin > self._max_token:
                raise TooLarge("white space of more than %d bytes" % self._max_token)
            if not self._more():
                return -1

    def _literal(self, text, value):
        if not self._have(len(text)) or self._data[self._at : self._at + len(text)] != text:
            raise JsonError("value expected")
        self._at += len(text)
        return value

    def _string(self):
        """Reads a string including both quotation marks."""
        self._at += 1
        text = None  # bytearray with the beginning, when the string is not in one piece
        while True:
            data, at = self._data, self._at
            end = data.find(b'"', at)
            stop = len(data) if end < 0 else end
            backslash = data.find(b"\\", at, stop)
            if backslash >= 0:
                stop = backslash
            piece = data[at:stop]
            if piece and min(piece) < 0x20:
                raise JsonError("control character in a string")
            self._at = stop
            if (len(text) if text else 0) + len(piece) > self._max_token:
                raise TooLarge("string of more than %d bytes" % self._max_token)
            if text is not None:
                text.extend(piece)
            elif end < 0 or backslash >= 0:
                text = bytearray(piece)
            if backslash >= 0:
                text.extend(self._escape())
            elif end >= 0:
                self._at += 1
                return _decode(piece if text is None else text)
            elif not self._more():
                raise JsonError("text ends too early")

    def _escape(self):
        r"""Returns the character of an escape sequence, as UTF-8. A lone \u surrogate is U+FFFD."""
        if not self._have(2):
            raise JsonError("text ends too early")
        kind = self._data[self._at + 1]
        if kind != 0x75:
            if kind not in _ESCAPED:
                raise JsonError("unknown escape sequence")
            self._at += 2
            return _ESCAPED[kind]
        code = self._code_unit()
        if code is None:
            raise JsonError("\\u without four hexadecimal digits")
        self._at += 6
        if 0xD800 <= code < 0xE000:
            low = self._code_unit() if code < 0xDC00 else None
            if low is not None and 0xDC00 <= low < 0xE000:
                self._at += 6
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            else:
                code = _REPLACEMENT
        return chr(code).encode()

    def _code_unit(self):
        r"""Returns the number of the \u escape that comes next, or None."""
        if not self._have(6) or self._data[self._at : self._at + 2] != b"\\u":
            return None
        digits = self._data[self._at + 2 : self._at + 6]
        return int(digits, 16) if all(digit in _HEX for digit in digits) else None

    def _number(self):
        text = b""
        while True:
            data, begin = self._data, self._at
            end, size = begin, len(data)
            while end < size and data[end] in _IN_NUMBER:
                end += 1
            text += data[begin:end]
            self._at = end
            if len(text) > _MAX_NUMBER:
                raise TooLarge("number of more than %d characters" % _MAX_NUMBER)
            if end < size or not self._more():
                return _number(str(text, "ascii"))


def _decode(data):
    try:
        return str(data, "utf-8")
    except UnicodeError:  # a ValueError only on CPython
        raise JsonError("text is not UTF-8")


def _number(text):
    """Returns the int or float of a JSON number; int() and float() would accept more."""
    mantissa, e, exponent = text.lower().partition("e")
    whole, dot, fraction = mantissa.partition(".")
    if whole[:1] == "-":
        whole = whole[1:]
    if exponent[:1] in ("+", "-"):
        exponent = exponent[1:]
    if (
        not whole.isdigit()
        or (whole[0] == "0" and len(whole) > 1)
        or (dot and not fraction.isdigit())
        or (e and not exponent.isdigit())
    ):
        raise JsonError("not a number: " + text)
    return float(text) if dot or e else int(text)
