"""Packed lists: the bytes are MessagePack's, as earlier versions have written them, and what is none is refused."""

from harness import raises

from firmware.store.packing import pack, unpack

# value -> its bytes by the MessagePack specification: both sides of every limit between two forms
FORMS = (
    (None, b"\xc0"),
    (False, b"\xc2"),
    (True, b"\xc3"),
    (0, b"\x00"),
    (127, b"\x7f"),
    (128, b"\xcc\x80"),
    (255, b"\xcc\xff"),
    (256, b"\xcd\x01\x00"),
    (65535, b"\xcd\xff\xff"),
    (65536, b"\xce\x00\x01\x00\x00"),
    ((1 << 32) - 1, b"\xce\xff\xff\xff\xff"),
    (1 << 32, b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
    ((1 << 63) - 1, b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"),
    (-1, b"\xff"),
    (-32, b"\xe0"),
    (-33, b"\xd0\xdf"),
    (-128, b"\xd0\x80"),
    (-129, b"\xd1\xff\x7f"),
    (-32768, b"\xd1\x80\x00"),
    (-32769, b"\xd2\xff\xff\x7f\xff"),
    (-(1 << 31), b"\xd2\x80\x00\x00\x00"),
    (-(1 << 31) - 1, b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
    (-(1 << 63), b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00"),
    ("", b"\xa0"),
    ("t\u00eb", b"\xa3t\xc3\xab"),
    ("x" * 31, b"\xbf" + b"x" * 31),
    ("x" * 32, b"\xd9\x20" + b"x" * 32),
    ("x" * 255, b"\xd9\xff" + b"x" * 255),
    ([], b"\x90"),
    ([1] * 15, b"\x9f" + b"\x01" * 15),
    ([1] * 16, b"\xdc\x00\x10" + b"\x01" * 16),
    ([1] * 257, b"\xdc\x01\x01" + b"\x01" * 257),
)


def test_each_value_has_the_bytes_of_messagepack():
    for value, form in FORMS:
        assert pack([value]) == b"\x91" + form, value
        (found,) = unpack(b"\x91" + form)
        assert found == value and type(found) is type(value), value
    assert pack(((1, 2), "a")) == b"\x92\x92\x01\x02\xa1a"  # a tuple is a list


def test_what_has_no_form_is_refused():
    for value, why in (
        ("x" * 256, "text too long"),
        ("\u00eb" * 128, "text too long"),
        (1.5, "cannot pack this type"),
        (b"x", "cannot pack this type"),
        (1 << 64, "number too large"),
        (-(1 << 63) - 1, "number too large"),
    ):
        with raises(ValueError) as caught:
            pack([value])
        assert str(caught.value) == why, value


def test_what_is_cut_off_or_goes_on_is_no_packed_list():
    values = [value for value, _ in FORMS]
    data = pack(values)
    assert unpack(data) == values
    for end in range(len(data)):
        with raises(ValueError):
            unpack(data[:end])
    for wrong in (data + b"\x00", b"\x05", b"\xa1x", b"\xdc\xff\xff" + b"\x01" * 9):
        with raises(ValueError):
            unpack(wrong)
    for unknown in (b"\x80", b"\xc1", b"\xcb" + bytes(8), b"\xd4\x00\x00"):
        with raises(ValueError) as caught:
            unpack(b"\x91" + unknown)
        assert str(caught.value) == "unknown tag", unknown


def test_lists_lie_four_deep_at_most():
    # what damaged bytes may ask for is bounded: the journal's deepest are phase values in a reading
    assert unpack(b"\x91\x91\x91\x91\x07") == [[[[7]]]]
    for wrong in (b"\x91\x91\x91\x91\x91\x07", b"\x91" * 1000):
        with raises(ValueError) as caught:
            unpack(wrong)
        assert str(caught.value) == "nested too deeply"
