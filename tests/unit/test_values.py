"""Values of settings: ranges, texts, and what the check functions of settings.txt allow."""

from harness import raises

from firmware.store.declaration import setting
from firmware.store.values import (
    InvalidValue,
    authorization_key,
    backend_url,
    check_range,
    check_text,
    parse,
    passphrase,
    phase_rotation,
    to_text,
)


def refused(function, *arguments):
    with raises(ValueError) as caught:
        function(*arguments)
    return str(caught.value)


def test_whole_numbers_only():
    row = setting("Wait int 5 -10..10 unit=s")
    for text, value in (("5", 5), (" 7 ", 7), ("-3", -3), ("007", 7)):
        assert parse(row, text) == value
    for text in ("", "-", "--3", "+3", "1_0", "1.5", "- 3", "x"):
        assert "not a whole number" in refused(parse, row, text)


def test_lists_and_words():
    row = setting("List csl - ..3")
    assert parse(row, "") == parse(row, "  ") == [] and parse(row, " a , b") == ["a", "b"]
    for text in (",", "a,", ",a", "a,,b"):
        assert "empty item" in refused(parse, row, text)
    row = setting("On bool true")
    assert parse(row, " TRUE ") is True and parse(row, "false") is False
    assert "neither" in refused(parse, row, "1")
    assert (to_text(True), to_text(False), to_text(("a", "b")), to_text(7)) == ("true", "false", "a,b", "7")


def test_a_range_names_what_is_allowed():
    for line, value, words in (
        ("Wait int 5 1..10 unit=s", 11, "Wait: 11 is not within 1..10 s"),
        ("Wait int 5 1..10", 0, "Wait: 0 is not within 1..10"),
        ("Wait int 5 5..5 or=0,2 unit=s", 3, "Wait: 3 is not within 0, 2 or 5 s"),
        ("Wait int 5 5..9 or=0", 3, "Wait: 3 is not within 0 or 5..9"),
    ):
        assert refused(check_range, setting(line), value) == words
    for line, allowed in (
        ("Wait int 5 1..10", (1, 10)),
        ("Wait int 5 5..9 or=0,99", (0, 5, 9, 99)),
        ("Wait int 5 5..9 clamp", (0, 1, 100)),
    ):
        for value in allowed:
            check_range(setting(line), value)
    refused(check_range, setting("Wait int 5 5..9 clamp"), -1)


def test_another_unit_is_guessed_where_people_think_in_it():
    current = setting("Max int 6000 6000..80000 unit=mA")
    wait = setting("Wait int 30 1..600 unit=s")
    free = setting("Free int 3 0..5 unit=mA")
    for row, value, meant in (
        (current, 6, 6000),
        (current, 80, 80000),
        (current, 5, None),
        (current, 81, None),
        (current, 999_999_999, None),
        (wait, 600_000, 600),
        (wait, 1_000, 1),
        (wait, 601_000, None),
        (wait, 1_500, None),
        (wait, 0, None),
        (free, 5_000, 5),
        (free, 6_000, None),
    ):
        words = refused(check_range, row, value)
        assert words.endswith(", did you mean %d?" % meant if meant else " " + row.unit), (value, words)
    for text, meant in (("16 A", 16000), ("16000 mA", 16000), ("16x", None), ("1" * 10 + " A", None)):
        words = refused(parse, current, text)
        assert ("did you mean %d?" % meant in words) if meant else "did you mean" not in words, text


def test_texts_have_a_length_and_choices():
    row = setting("Name str - ..3 or=abc,d")
    check_text(row, "abc")
    assert refused(check_text, row, "abcd") == "Name: longer than 3 characters"
    assert refused(check_text, row, "x") == "Name: not one of abc,d"
    check_text(setting("On bool true"), True)
    check_text(setting("Name str -"), "x" * 1000)


def test_an_authorization_key_is_hex_or_a_password():
    # OCPP-J 1.6 §6.2.1 and the whitepaper's passwords
    for good in ("0" * 32, "aB" * 20, "x" * 16, "~" * 20, "!" * 16, "0" * 34):
        authorization_key(good)
    for bad in ("0" * 15, "0" * 21, "0" * 31, "g" * 32, "0" * 42, "x" * 15 + " ", "x" * 15 + "\x7f", "\u00e9" * 16, ""):
        refused(authorization_key, bad)


def test_addresses_and_passwords_and_rotations():
    for good in ("", "ws://host", "WSS://host:1/x"):
        backend_url(good)
    for bad in ("http://host", "host", "ws:/host"):
        assert "not a ws:// or wss:// address" in refused(backend_url, bad)
    for good in ("", "x" * 8, "x" * 63):
        passphrase(good)
    for bad in ("x", "x" * 7):
        assert refused(passphrase, bad) == "fewer than 8 characters"
    phase_rotation(["0.Unknown", "1.RST"])
    for bad in ("1.RTX", "x.RST", "1", ".RST"):
        refused(phase_rotation, [bad])
    assert issubclass(InvalidValue, ValueError)
