"""Schema validation of payloads, both ways, against a compact form of the OCA's JSON schemas (tools/schemas.py).

Sent payloads must match the schema exactly. Received requests are accepted if their meaning is clear: unknown fields
and optional fields that are null are dropped, 9.0 is the integer 9, and a decimal may have more than one digit. Of
received answers every valid field is used, see Schema.read().

Error codes (OCPP-J 1.6 table 7):

    OccurrenceConstraintViolation   a required field is missing or null, a list is empty that must not be
    TypeConstraintViolation         wrong JSON type
    PropertyConstraintViolation     text too long, not one of the choices or not a date; number not finite
    FormationViolation              payload is not an object or, when sending, has an unknown field
"""

from micropython import const

from firmware.kernel.clock import parse_iso8601, read_time
from firmware.kernel.resources import open_data
from firmware.ocpp.errors import (
    FORMATION_VIOLATION,
    NOT_IMPLEMENTED,
    OCCURRENCE_VIOLATION,
    PROPERTY_VIOLATION,
    TYPE_VIOLATION,
    CallError,
)

# Lines of the data file kept in RAM: as many as a message needs, 300 bytes each. Longer ones, such as all measurands or
# error codes, would take up to 1500 bytes and are needed once per message.
_CACHED = const(6)
_LONGEST_CACHED = const(400)  # bytes in the file
_PIECE = const(512)  # bytes of it read at once
_LONGEST_NUMBER = const(32)  # characters of a number that is sent as text

_STRING = const(0)
_CHOICE = const(1)
_DATE_TIME = const(2)
_INTEGER = const(3)
_NUMBER = const(4)
_DECIMAL = const(5)
_BOOLEAN = const(6)
_OBJECT = const(7)
_LIST = const(8)
_PLAIN = const(9)  # a string; a received number or boolean is converted to text

_BY_LETTER = {
    "s": _STRING,
    "v": _PLAIN,
    "=": _CHOICE,
    "t": _DATE_TIME,
    "i": _INTEGER,
    "n": _NUMBER,
    "d": _DECIMAL,
    "b": _BOOLEAN,
}

# A type is a tuple (kind, detail). Detail of a string: maximum length or None; of a choice: its words as "|A|B|"; of an
# object: the name of its line; of a list: (type of its items, minimum number of items).
_NO_DETAIL = {letter: (kind, None) for letter, kind in _BY_LETTER.items()}


class Schema:
    """The payload schemas of a version of OCPP, from the data file `name`, read when they are needed."""

    def __init__(self, name):
        self._name = name
        self._cache = {}  # name of a line -> ({field: type}, tuple of required fields)

    def validate(self, action, payload, response=False):
        """Checks a payload to be sent: of a CALL, or with `response` of a CALLRESULT. Raises CallError."""
        self._check(action, payload, response, True)

    def accept(self, action, payload):
        """Checks a received request; removes unknown and null fields in place. Raises CallError."""
        self._check(action, payload, False, False)

    def read(self, action, payload):
        """Keeps every valid field of a received answer; returns remarks for the log as a list.

        The back-end has processed the call already, so its answer is used as far as possible: numbers may be text,
        choices in any case, times in any form (clock.read_time()). An invalid field becomes None, in place, required or
        not. Null and unknown fields are removed. Raises CallError when the answer is not an object.
        """
        if type(payload) is not dict:
            raise CallError(FORMATION_VIOLATION, "payload is not an object")
        remarks = []
        self._read_object(self._load(action + ">"), payload, "", remarks)
        return remarks

    def _read_object(self, line, value, path, remarks):
        fields, required = line
        for name in list(value):
            kind = fields.get(name)
            if kind is None or value[name] is None:
                del value[name]
                continue
            try:
                value[name] = self._read_value(kind, value[name], path + name, remarks)
            except CallError as exc:
                value[name] = None
                remarks.append(exc.description)
        for name in required:
            if name not in value:
                remarks.append(path + name + " is missing")

    def _read_value(self, kind, value, name, remarks):
        """Returns a value of an answer, converted to the type of its field. Raises CallError."""
        if kind[0] == _OBJECT and type(value) is dict:
            self._read_object(self._load(kind[1]), value, name + ".", remarks)
            return value
        if kind[0] == _DATE_TIME:
            try:
                read_time(value)
            except ValueError as exc:
                raise CallError(PROPERTY_VIOLATION, "%s: %s" % (name, exc))
            return value
        value = _meant(kind, value)
        replaced = self._value(kind, value, name, False)
        return value if replaced is None else replaced

    def accept_item(self, action, name, item, index):
        """Checks item number `index` of the list `name` in a streamed request."""
        try:
            self._item(action, name, item, False)
        except CallError as exc:
            raise _in_list(name, index, exc)

    def validate_item(self, action, name, item):
        """Checks an item of the list `name` in a streamed answer. Raises CallError."""
        self._item(action + ">", name, item, True)

    def _item(self, line, name, item, strict):
        _, (kind, _) = self._load(line)[0][name]
        self._value(kind, item, name, strict)

    def _check(self, action, payload, response, strict):
        line = self._load(action + ">" if response else action) if action.isalpha() else None
        if line is None:
            raise CallError(NOT_IMPLEMENTED, "unknown action")
        if type(payload) is not dict:
            raise CallError(FORMATION_VIOLATION, "payload is not an object")
        self._object(line, payload, strict)

    def _object(self, line, value, strict):
        """Checks the fields of an object. Each level adds its name to the description of an error, see _within()."""
        fields, required = line
        for name in required:
            if value.get(name) is None:
                raise CallError(OCCURRENCE_VIOLATION, name + " is missing")
        dropped = None
        for name, item in value.items():
            kind = fields.get(name)
            if kind is None:
                if strict:
                    raise CallError(FORMATION_VIOLATION, "%s is not a field of this message" % name)
            elif type(item) is int and _INTEGER <= kind[0] <= _DECIMAL:
                continue  # shortcut for the most frequent case
            elif item is not None or strict:
                item = self._value(kind, item, name, strict)
                if item is not None:
                    value[name] = item  # the key exists, so the iteration goes on
                continue
            dropped = dropped or []
            dropped.append(name)
        if dropped:
            for name in dropped:
                del value[name]

    def _value(self, kind, value, name, strict, line=None):
        """Checks one value; returns its replacement, None to keep it. Raises CallError.

        `line` is the schema of an object if it has been loaded.
        """
        kind, detail = kind
        if kind <= _DATE_TIME:
            if type(value) is not str:
                raise CallError(TYPE_VIOLATION, name + " is not a string")
            if kind == _STRING:
                if detail is not None and len(value) > detail:
                    raise CallError(PROPERTY_VIOLATION, "%s is longer than %d characters" % (name, detail))
            elif kind == _CHOICE:
                if "|" in value or "|%s|" % value not in detail:
                    raise CallError(PROPERTY_VIOLATION, "%s is not one of %s" % (name, detail[1:-1]))
            else:
                _check_date_time(value, name)
        elif kind <= _DECIMAL:
            return _number(kind, value, name, strict)
        elif kind == _PLAIN:
            text = value if strict else _plain_text(value)
            self._value((_STRING, detail), text, name, strict)
            return text
        elif kind == _BOOLEAN:
            if type(value) is not bool:
                raise CallError(TYPE_VIOLATION, name + " is not a boolean")
        elif kind == _OBJECT:
            if type(value) is not dict:
                raise CallError(TYPE_VIOLATION, name + " is not an object")
            try:
                self._object(line or self._load(detail), value, strict)
            except CallError as exc:
                raise _within(name + ".", exc)
        else:
            self._list(detail, value, name, strict)
        return None

    def _list(self, detail, value, name, strict):
        kind, least = detail
        if type(value) is not list:
            raise CallError(TYPE_VIOLATION, name + " is not a list")
        if len(value) < least:
            raise CallError(OCCURRENCE_VIOLATION, name + " is empty")
        i = 0
        try:
            line = self._load(kind[1]) if kind[0] == _OBJECT else None  # loaded once for all items
            for item in value:
                replaced = self._value(kind, item, name, strict, line)
                if replaced is not None:
                    value[i] = replaced
                i += 1
        except CallError as exc:
            raise _in_list(name, i, exc)

    def _load(self, name):
        """Returns a line of the data file as ({field: type}, required fields), None for an unknown name."""
        line = self._cache.get(name)
        if line is None:
            text = self._read(name)
            if text is None:
                return None
            line = _parse(text.split())
            if len(text) <= _LONGEST_CACHED:
                if len(self._cache) >= _CACHED:
                    self._cache.clear()
                self._cache[name] = line
        return line

    def _read(self, name):
        """Returns the bytes of a line of the data file, or None."""
        # Not line by line: MicroPython reads lines byte by byte, 8 ms instead of 0.1 ms.
        wanted = b"\n" + name.encode()
        data = b"\n"
        with open_data(self._name) as file:
            while True:
                piece = file.read(_PIECE)
                if not piece:
                    return None
                data += piece
                end = data.rfind(b"\n")
                at = data.find(wanted + b" ", 0, end)
                if at < 0:
                    at = data.find(wanted + b"\n", 0, end + 1)
                if at >= 0:
                    return data[at : data.find(b"\n", at + 1)]
                data = data[end:]


def _parse(words):
    fields = {}
    required = []
    for word in words[1:]:
        name, _, kind = word.decode().partition(":")
        if name.endswith("?"):
            name = name[:-1]
        else:
            required.append(name)
        fields[name] = _type(kind)
    return fields, tuple(required)


def _type(text):
    letter, rest = text[0], text[1:]
    if letter == "[":
        least = rest.startswith("+")
        return _LIST, (_type(rest[1:] if least else rest), int(least))
    if letter == "@":
        return _OBJECT, text
    if letter == "=":
        return _CHOICE, "|" + rest + "|"
    return (_BY_LETTER[letter], int(rest)) if rest else _NO_DETAIL[letter]


def _meant(kind, value):
    """Converts a text to the number it stands for, a number to text, a word of a choice to its right spelling."""
    kind, detail = kind
    if type(value) is not str:
        return _plain_text(value) if kind == _STRING else value
    text = value.strip()
    if kind == _CHOICE:
        for word in detail[1:-1].split("|"):
            if word.lower() == text.lower():
                return word
    elif _INTEGER <= kind <= _DECIMAL and len(text) <= _LONGEST_NUMBER:
        whole, _, rest = text.partition(".")
        if whole.lstrip("+-").isdigit() and not rest.strip("0"):
            try:
                return int(whole)
            except ValueError:
                pass  # two signs
    return value


def _plain_text(value):
    """Returns a number or boolean as JSON text, 30.0 as "30"; anything else unchanged."""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float and value - value == 0 and value == int(value):
        value = int(value)
    return str(value) if type(value) in (int, float) else value


def _check_date_time(value, name):
    try:
        parse_iso8601(value)
    except ValueError:
        raise CallError(PROPERTY_VIOLATION, name + " is not a date and time")


def _number(kind, value, name, strict):
    """Checks a number; returns the integer for a received integral float, otherwise None."""
    if type(value) is int:
        return None
    if type(value) is not float:
        if not isinstance(value, float):
            raise CallError(TYPE_VIOLATION, name + " is not a number")
        value = value * 1  # a number object with its own text form
    if value != value or value - value != 0:  # NaN, infinite: JSON has neither
        raise CallError(PROPERTY_VIOLATION, name + " is not finite")
    if kind == _INTEGER:
        if strict or value != int(value):
            raise CallError(TYPE_VIOLATION, name + " is not an integer")
        return int(value)
    # The board has 32-bit floats: 3333.3 is 3333.30004...
    if strict and kind == _DECIMAL and abs(value * 10 - round(value * 10)) > 0.01:
        raise CallError(PROPERTY_VIOLATION, name + " has more than one decimal")
    return None


def _in_list(name, index, exc):
    """Returns the error with the index of the item added to its description."""
    return CallError(exc.code, "%s[%d]%s" % (name, index, exc.description[len(name) :]))


def _within(prefix, exc):
    """Returns the error with the path to the field added to its description."""
    return CallError(exc.code, prefix + exc.description)
