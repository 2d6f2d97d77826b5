"""The reader of images (docs/image.md): what it yields, and each way in which an image is refused."""

import hashlib
import json

from harness import raises
from images import FILES, lines_of, made

import firmware.maintenance.image as image
from firmware.maintenance.image import Device, ImageError, ImageReader, this_device

_DEVICE = Device("esp32s3", (1, 27, 0), (6, 3, 0))


def read(data, piece=4096, device=_DEVICE):
    """Returns (head, {name: content}, manifest) of an image that comes in pieces."""
    reader = ImageReader(device)
    files, open_file, manifest = {}, None, b""
    for at in range(0, len(data), piece):
        for kind, value in reader.receive(data[at : at + piece]):
            if kind == image.MANIFEST:
                manifest += value
            elif kind == image.FILE:
                open_file = [value[0], b""]
            elif kind == image.DATA:
                open_file[1] += bytes(value)
            elif kind == image.FILE_END:
                assert value == open_file[0]
                files[value] = open_file[1]
    reader.finish()
    return reader.head, files, manifest


def reason(data, device=_DEVICE, piece=4096):
    with raises(ImageError) as caught:
        read(data, piece, device)
    return str(caught.value)


def test_an_image_is_read_in_pieces_of_any_size():
    data = made()
    for piece in (1, 2, 7, 64, 1000, len(data)):
        head, files, manifest = read(data, piece)
        assert files == dict(FILES), piece
        assert head.version == "1.2.3" and head.files == 3 and head.size == 3003 and head.flash == 40960
        document = json.loads(manifest)
        assert [row[0] for row in document["files"]] == [name for name, _ in FILES]
        assert document["version"] == "1.2.3"


def test_what_is_signed_is_the_head_which_names_the_list_which_names_every_file():
    head, _, manifest = read(made())
    first, rest = manifest.split(b"\n", 1)
    assert head.digest == hashlib.sha256(first + b"\n").digest()
    assert head.list == hashlib.sha256(rest).digest()
    assert head.key_id is None and head.signature is None
    head, _, _ = read(made(signature=b"ab" * 64))
    assert head.signature == b"\xab" * 64 and head.key_id == bytes(8)


def test_nothing_is_told_of_files_before_the_head_was():
    reader = ImageReader(_DEVICE)
    kinds = [kind for kind, _ in reader.receive(made())]
    assert kinds[0] == image.HEAD and kinds[-1] == image.END
    assert kinds.index(image.FILE) > kinds.index(image.MANIFEST)


def test_a_changed_byte_anywhere_is_found():
    data = made()
    read(data)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            head, files, _ = read(changed)
        except ImageError:
            continue
        # What is signed is the digest of the head: there a change is the signature's to find.
        assert head.digest != read(data)[0].digest or head.signature, at
        assert files == dict(FILES), at


def test_a_cut_anywhere_is_found():
    data = made()
    for length in range(len(data)):
        reader = ImageReader(_DEVICE)
        with raises(ImageError):
            for _ in reader.receive(data[:length]):
                pass
            reader.finish()


def test_the_reason_names_the_file_with_the_wrong_hash():
    data = made()
    at = data.index(b"M\x06\x00")
    assert reason(data[:at] + b"X" + data[at + 1 :]) == "is damaged: wrong hash of firmware/__init__.mpy"


def test_the_reason_says_how_much_is_missing():
    data = made()
    assert reason(data[:-1000]) == "is incomplete: it ends after 3 files"
    assert reason(data[: data.index(b"]}\n")]) == "is incomplete: it ends after 3 files"
    assert reason(data[:300]).startswith("is incomplete: it ends after 0 files")


def test_something_else_is_no_image():
    for data in (b"PK\x03\x04" * 100, b"<html>\n", bytes(600), b"wallbox-image 2\n"):
        assert reason(data) == "is none of this firmware"
        assert reason(data, piece=1) == "is none of this firmware"


def test_an_image_for_another_chip_is_refused():
    assert reason(made(chips=["esp32c3", "esp32"])) == "is for esp32c3 or esp32, this is esp32s3"


def test_an_older_micropython_is_refused():
    assert reason(made(micropython=[1, 28, 0])) == "needs MicroPython 1.28.0, this is 1.27.0"
    assert read(made(micropython=[1, 26, 9]))
    assert read(made(), device=Device("esp32", (2, 0, 0), (6, 3, 0)))


def test_another_version_of_mpy_files_is_refused():
    text = "has .mpy files of version 7.3, architecture 0; this MicroPython loads 6.3, architecture 0"
    assert reason(made(mpy=[7, 3, 0])) == text
    # Without machine code in them, sub-version and architecture do not count.
    assert read(made(mpy=[6, 2, 0]), device=Device("esp32", (1, 27, 0), (6, 3, 10)))
    assert "architecture 10" in reason(made(mpy=[6, 3, 10]))
    assert "version 6.2" in reason(made(mpy=[6, 2, 10]), Device("esp32", (1, 27, 0), (6, 3, 10)))
    assert read(made(mpy=[6, 3, 10]), device=Device("esp32", (1, 27, 0), (6, 3, 10)))


def test_slots_and_partitions_take_their_own_kind_only():
    application = (("micropython.bin", b"\xe9" * 100),)
    assert reason(made(application, kind="application")) == "is of kind application, this station takes files"
    device = Device("esp32s3", (1, 27, 0), (6, 3, 0), image.APPLICATION)
    assert read(made(application, kind="application", mpy=[0, 0, 0]), device=device)[1]
    assert reason(made(), device) == "is of kind files, this station takes application"
    assert "does not belong" in reason(made(kind="application"), device)


def test_no_name_leads_out_of_the_slot():
    for name in (
        "../boot.py",
        "firmware/../../boot.py",
        "/boot.py",
        "firmware//x.mpy",
        "firmware/",
        "firmware/.x",
        "firmware\\x.mpy",
        "firmware/ä.mpy",
        "firmware/a b",
        "firmware/x\n",
        "",
    ):
        text = reason(made(((name, b"x"),)))
        assert "leads out of its slot" in text or (not name and "makes no sense" in text), (name, text)
    for name in ("boot.py", "data/journal", "factory.json", "manifest.json", "slots.json", "a/firmware/x.mpy"):
        assert reason(made(((name, b"x"),))) == "has a file that does not belong into a slot: " + name


def test_a_file_is_there_once_and_in_its_place():
    twice = (("firmware/a.mpy", b"1"), ("firmware/a.mpy", b"2"))
    assert reason(made(twice)) == "is damaged: firmware/a.mpy is not in its place"
    assert reason(made(tuple(reversed(FILES)))) == "is damaged: firmware/empty.txt is not in its place"


def test_the_list_is_what_the_head_says():
    assert reason(made(count=2)) == "is damaged: more files than the head names"
    assert reason(made(size=3002)) == "is damaged: more files than the head names"
    wrong = "is damaged: the list of files is not the one that the head names"
    assert reason(made(count=4)) == wrong
    assert reason(made(size=3004)) == wrong
    assert reason(made(list="00" * 32)) == wrong
    assert reason(made(lines=[line.rstrip(b",\n") + b",\n" for line in lines_of(FILES)])) == wrong
    assert reason(made(lines=[b" " + line for line in lines_of(FILES)], list=read(made())[2].hex()[:64])) == wrong
    lines = lines_of(FILES)
    assert (
        reason(made(lines=[lines[0].rstrip(b",\n") + b"\n"] + lines[1:])) == "is damaged: a file follows the last one"
    )


def test_a_head_that_makes_no_sense_is_refused():
    for changes in (
        {"version": 1},
        {"version": ""},
        {"version": "1" * 51},
        {"chips": []},
        {"chips": [1]},
        {"micropython": [1, 27]},
        {"micropython": 1},
        {"mpy": [6]},
        {"mpy": ["6", "3", "0"]},
        {"count": -1},
        {"count": True},
        {"count": 100_000},
        {"size": 1 << 40},
        {"size": 1.5},
        {"flash": None},
        {"list": "zz" * 32},
        {"list": "00" * 31},
        {"kind": None},
    ):
        assert reason(made(**changes)) == "is damaged: the head of the manifest makes no sense", changes


def test_a_line_without_an_end_does_not_fill_the_heap():
    data = made()
    for end in (16, data.index(b'{"'), data.index(b'"files"'), data.index(b'["firmware')):
        assert reason(data[:end] + b"x" * 600, piece=50) == "is damaged: a line is too long"


def test_lines_of_the_list_that_make_no_sense_are_refused():
    good = lines_of(FILES)
    for line in (
        b"[]\n",
        b"{}\n",
        b"\n",
        b"null\n",
        b'["firmware/x", -1, "' + b"00" * 32 + b'"]\n',
        b"[" * 400 + b"\n",
    ):
        assert reason(made(lines=[line] + good[1:])) == "is damaged: a line of the list makes no sense", line
    name = "firmware/" + "x" * 100
    assert reason(made(((name, b""),))) == "is damaged: a line of the list makes no sense"


def test_what_follows_the_end_is_refused():
    assert reason(made() + b"x") == "is damaged: there is more behind its end"
    assert reason(made() + b"x", piece=len(made())) == "is damaged: there is more behind its end"


def test_a_signature_that_makes_no_sense_is_refused():
    for signature in (b"", b"zz" * 64, b"00" * 63, b"00" * 64 + b" 00"):
        assert reason(made(signature=signature)) == "is damaged: the signature makes no sense"


def test_the_device_is_what_the_interpreter_says():
    device = this_device()
    assert device.kind == image.FILES and len(device.micropython) == 3
    assert device.mpy == (0, 0, 0) or device.mpy[0] == 6
