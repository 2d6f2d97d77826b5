"""jsonstream: tokens, values, paths, and every limit, on both interpreters."""

import io

from harness import raises
from jsonstream import JsonError, Reader, TooLarge


def reader(text, **limits):
    return Reader(io.BytesIO(text if isinstance(text, bytes) else text.encode()), **limits)


def load(text, **limits):
    json = reader(text, **limits)
    value = json.read(json.next())
    json.finish()
    return value


def test_tokens():
    json = reader(' {"a": [1, "b"], "c": {}} ', chunk=1)
    tokens = []
    while True:
        token = json.next()
        if token is None:
            break
        tokens.append((token, json.value) if token in ("key", "value") else token)
    assert tokens == ["{", ("key", "a"), "[", ("value", 1), ("value", "b"), "]", ("key", "c"), "{", "}", "}"]
    assert json.depth == 0 and json.position == 26


def test_values():
    for chunk in (1, 2, 3, 512):
        value = load('[0, -1.5e2, 12345678901234567890, true, false, null, "", {"k": [[], {}]}]', chunk=chunk)
        assert value == [0, -150.0, 12345678901234567890, True, False, None, "", {"k": [[], {}]}]
        assert type(value[0]) is int and type(value[1]) is float


def test_strings():
    for chunk in (1, 2, 5, 512):
        assert load('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00 \u00e9\U0001f600"', chunk=chunk) == (
            '"\\/\b\f\n\r\t\u00e9\U0001f600 \u00e9\U0001f600'
        )
        # A surrogate without its other half could not be sent on as UTF-8.
        for text in ("\\ud83d", "\\ude00", "\\ud83d\\ud83d"):
            assert set(load('"%s"' % text, chunk=chunk)) == {"\ufffd"}
        assert load('"\\ud83d\\n"', chunk=chunk) == "\ufffd\n"


def test_what_is_lenient_elsewhere_is_refused():
    bad = '[1,2,]|{"a":1,}|[1 2]|01|-|1.|.5|1e|+1|"\t"|"\\x"|"\\u12g4"|{1:2}|{"a"}|NaN|Infinity|-Infinity|tru|[|{|[}|{]'
    bad += '|"a|"\\|"\\u00|1 2|[] []|\ufeff1|\'a\'|{"a":}|{"a" 1}|,|]||nul|1_0|0x1|"\\U0041"|[1,,2]|{,}|\x0b1'
    for text in bad.split("|"):
        for chunk in (1, 512):
            with raises(JsonError):
                load(text, chunk=chunk)
    with raises(JsonError):
        load(b'"\xff"')


def test_paths():
    text = '{"a": {"b": [5, {"c": [1, {"d": 2}, [3]]}]}, "e": 1}'
    assert list(reader(text).items("a", "b", 1, "c")) == [1, {"d": 2}, [3]]
    json = reader(text)
    assert json.find("a", "b", 0) == "value" and json.value == 5
    for path in (("x",), (0,), ("a", "b", 2), ("a", "b", 1, "x"), ("e", 0), ("e", "x")):
        assert reader(text).find(*path) is None
    for path in (("a",), ("e",), ("x",)):
        with raises(JsonError):
            list(reader(text).items(*path))


def test_limits():
    assert load("[" * 4 + "]" * 4, max_depth=4) == [[[[]]]]
    for text, limits in (
        ("[" * 5 + "]" * 5, {"max_depth": 4}),
        ('"%s"' % ("a" * 101), {"max_token": 100}),
        ('"%s"' % ("\\n" * 101), {"max_token": 100}),
        ('{"%s": 1}' % ("a" * 101), {"max_token": 100}),
        (" " * 2000 + "1", {"max_token": 100}),
        ("[1,%s2]" % (" " * 2000), {"max_token": 100}),
        ("9" * 65, {}),
        ('["%s"]' % ("a" * 97), {"max_size": 100}),
    ):
        for chunk in (1, 7, 512):
            with raises(TooLarge):
                load(text, chunk=chunk, **limits)
    assert load('["%s"]' % ("a" * 96), max_size=100) == ["a" * 96]
    with raises(TooLarge):
        list(reader("[[1, 2, 3, 4]]").items(max_bytes=8))
    assert list(reader("[[1, 2, 3, 4], 5]").items(max_bytes=20)) == [[1, 2, 3, 4], 5]


def test_an_error_of_the_stream_goes_through():
    class Broken:
        def read(self, most):
            raise OSError(5)

    with raises(OSError):
        Reader(Broken()).next()
