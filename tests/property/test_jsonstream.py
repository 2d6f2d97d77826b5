"""jsonstream against CPython's json: the same values, the same refusals, however the text is split."""

import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonstream import JsonError, Reader

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
)
_DOCUMENT = st.recursive(
    _SCALAR,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXT, inner, max_size=5),
    max_leaves=20,
)
_DUMP = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from((None, 0, 3)),
        "separators": st.sampled_from((None, (",", ":"))),
    }
)
_MOST = 1 << 20

# Text that is nearly JSON.
_PIECE = st.sampled_from(
    [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        '"',
        "\\",
        "\\u",
        "d83d",
        "\\ude00",
        "0",
        "1",
        "-",
        ".5",
        "e",
        "E+3",
        "true",
        "null",
        "fals",
        " ",
        "\n",
        "\t",
    ]
    + ['"a"', '"a":', "1,", "\x00", "\x7f", "é", "NaN", "/", "\x0b", "\ufeff"]
)


class Pieces:
    """A stream that hands out a text in pieces of the given sizes, the last of them again and again."""

    def __init__(self, data, sizes):
        self._stream = io.BytesIO(data)
        self._sizes = list(sizes)

    def read(self, most):
        size = self._sizes.pop(0) if len(self._sizes) > 1 else self._sizes[0]
        return self._stream.read(min(size, most))


def load(data, sizes=(512,)):
    reader = Reader(Pieces(data, sizes), max_depth=30, max_token=_MOST)
    value = reader.read(reader.next())
    assert reader.next() is None
    assert reader.position == len(data)
    return value


def refuse(name):
    raise ValueError(name)


def same(one, other):
    return type(one) is type(other) and repr(one) == repr(other)


@given(_DOCUMENT, _DUMP, st.lists(st.integers(1, 12), min_size=1))
def test_valid_documents_are_equal_in_any_split(document, form, sizes):
    data = json.dumps(document, **form).encode()
    assert same(load(data, sizes), document)


@given(st.lists(_PIECE, max_size=12), st.lists(st.integers(1, 4), min_size=1))
@example(['"', "\\u", "d83d", '"'], [1])
@example(["-"], [1])
@example(["[", "1,", "]"], [2])
def test_what_json_refuses_is_refused_and_nothing_else(pieces, sizes):
    text = "".join(pieces)
    try:
        # Half a surrogate pair cannot be sent on: here it becomes the replacement character.
        expected = json.loads(text, parse_constant=refuse)
        expected = json.loads(
            json.dumps(expected, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    except ValueError:
        with pytest.raises(JsonError):
            load(text.encode(), sizes)
    else:
        assert same(load(text.encode(), sizes), expected)


@given(st.binary(max_size=60), st.integers(1, 5))
def test_any_bytes_are_read_or_refused(data, size):
    try:
        value = load(data, (size,))
    except JsonError:
        return
    assert same(value, json.loads(data.decode()))


@given(_DOCUMENT, st.integers(0, 400), st.integers(0, 255), st.integers(1, 9))
def test_one_damaged_byte_gives_the_same_verdict(document, at, byte, size):
    data = bytearray(json.dumps(document).encode())
    data[at % len(data)] = byte
    try:
        expected = json.loads(data.decode(), parse_constant=refuse)
    except ValueError:
        with pytest.raises(JsonError):
            load(bytes(data), (size,))
    else:
        if "\\ud" not in data.decode().lower():
            assert same(load(bytes(data), (size,)), expected)


@given(_DOCUMENT, st.lists(_DOCUMENT, max_size=6), _DOCUMENT, st.integers(1, 7))
def test_items_of_an_array_in_the_middle(before, items, after, size):
    text = json.dumps([before, {"x": before, "list": items, "y": after}, after]).encode()
    reader = Reader(Pieces(text, (size,)), max_depth=30)
    assert same(list(reader.items(1, "list")), items)
    reader.finish()
