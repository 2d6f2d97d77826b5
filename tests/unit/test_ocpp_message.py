"""Messages as text: how deep and how dense they may be, and surrogate pairs (OCPP-J 1.6 §4.1, RFC 8259 §7)."""

import sys

from harness import raises

from firmware.ocpp.message import TooComplex, parse


def nested(depth, of="["):
    return of * depth + {"[": "]", '{"a":': "}"}[of] * depth


def test_lists_and_objects_nest_16_deep():
    assert parse(nested(16)) == eval(nested(16))
    assert parse("[" + nested(14, '{"a":').replace(":}", ":[]}") + "]")
    for text in (nested(17), "[1,%s]" % nested(16), "[" + nested(15, '{"a":').replace(":}", ":[]}") + "]"):
        with raises(TooComplex):
            parse(text)


def test_a_wide_message_is_no_deep_one():
    wide = "[%s]" % ",".join(["[]"] * 40)
    assert len(parse(wide)) == 40
    for depth, complex_ in ((15, False), (16, True)):
        text = "[%s,%s]" % (nested(depth), ",".join(["[]"] * 20))
        if complex_:
            with raises(TooComplex):
                parse(text)
        else:
            parse(text)


def test_16_brackets_are_free_and_then_one_for_two_characters():
    # each costs 32 bytes of RAM: more of them are an attack
    for count in range(25, 40):
        text = '["%s"]' % ("[" * count)
        if count + 1 > 16 + len(text) // 2:
            with raises(TooComplex):
                parse(text)
        else:
            assert parse(text) == ["[" * count]


def test_only_a_list_is_a_message():
    for text in ("{}", '"[]"', "7", "null", "", "["):
        with raises(ValueError):
            parse(text)


def test_pairs_become_characters_and_halves_the_replacement():
    for escaped, text in (
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\uD83D\uDE00", "\U0001f600"),
        (r"\ud800\udc00", "\U00010000"),
        (r"\udbff\udfff", "\U0010ffff"),
        (r"\ud83d", "\ufffd"),
        (r"\ude00", "\ufffd"),
        (r"\udc00\ud800", "\ufffd\ufffd"),
        (r"\ude00\ude00", "\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ud83dx\ude00", "\ufffdx\ufffd"),
        (r"\ud7ff\udc00", "\ud7ff\ufffd"),
        (r"\u00e9\ud83d\ude00\n", "\u00e9\U0001f600\n"),
        (r"\\ud83d", "\\ud83d"),
        (r"\\\ud83d\ude00", "\\\U0001f600"),
        (r"\"\ud83d\ude00\"", '"\U0001f600"'),
        ("\u00e9" + r"\ud83d\ude00", "\u00e9\U0001f600"),
        (r"\udd00 \u0041\\d", "\ufffd A\\d"),
    ):
        assert parse('["%s"]' % escaped) == [text], escaped
        assert parse('["%s", "a", "%s"]' % (escaped, escaped)) == [text, "a", text]


def test_a_cut_or_wrong_escape_is_left_to_the_parser():
    for escaped in (r"\ud83", r"\ud83g", r"\ud8 d", r"\ud83d\u", r"\ud+83"):
        try:
            parse('["%s"]' % escaped)
        except ValueError:
            continue
        assert sys.implementation.name == "micropython"  # whose parser takes some of them
    with raises(ValueError):
        parse('["\\ud83')
