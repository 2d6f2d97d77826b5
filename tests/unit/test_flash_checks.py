# interpreters: cpython
"""What `make flash` finds out about a board before it writes anything."""

import json

import pytest

from tools.archive import Image
from tools.flash import checks, install
from tools.flash.checks import Board, Unfit, check_room, problems
from tools.image import build

_S3 = "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3"
_FACTORY = json.dumps({"board": "esp32s3_reference"})
_MB = 1_048_576


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image") / "image"
    build(folder)
    return Image.load(folder)


def board(**changes):
    facts = {"machine": _S3, "version": (1, 28, 0), "mpy": (6, 3, 10), "psram": True, "mounts": [["VfsLfs2", "/"]]}
    facts.update(total=14 * _MB, free=13 * _MB, partition=14 * _MB, factory=_FACTORY, root={}, used={"a": 0, "b": 0})
    return Board(**{**facts, "heads": {"a": None, "b": None}, **changes})


def test_a_board_that_fits_has_no_problems(image):
    assert problems(board(), image, None) == []
    assert problems(board(partition=0, mounts=[]), image, None) == []  # an older MicroPython tells less
    check_room(board(), image)


@pytest.mark.parametrize(
    "changes, reason",
    (
        ({"version": (1, 26, 1)}, "the image needs MicroPython 1.27.0, this is 1.26.1"),
        ({"mpy": (5, 0, 0)}, "the image has .mpy files of version 6.0"),
        ({"psram": False}, "there is no PSRAM: put ESP32_GENERIC_S3-SPIRAM_OCT on a board"),
        ({"total": 0}, "there is no file system on the flash: a new one is made by make micropython ERASE=1"),
        ({"mounts": [["VfsFat", "/"]]}, "the file system is VfsFat, not LittleFS"),
        ({"total": 2 * _MB}, "the file system has 2048 of 14336 KB: it comes from a board with another flash"),
        ({"factory": '{"board": "esp32_wrover"}'}, "board esp32_wrover is made for esp32, this is esp32s3"),
    ),
)
def test_each_problem_is_named(image, changes, reason):
    (found,) = problems(board(**changes), image, None)
    assert found.startswith(reason), found


def test_all_problems_are_named_at_once(image, tmp_path):
    factory = tmp_path / "wrover.json"
    factory.write_text('{"board": "esp32_wrover"}')
    found = problems(board(machine="ESP32C3 module with ESP32C3", psram=False), image, factory)
    assert [text.split(":")[0].split(",")[0] for text in found] == [
        "the image is for esp32 or esp32s3 or linux",
        "there is no PSRAM",
        "board esp32_wrover is made for esp32",
    ]


def test_a_board_that_nobody_has_described_is_asked_for(image):
    (found,) = problems(board(machine="Generic ESP32 module with SPIRAM with ESP32", factory=None), image, None)
    assert "say what this station is (FACTORY=station.json)" in found


def test_the_room_is_that_of_the_free_slot_and_what_lies_in_it(image):
    needed = image.head.flash + 65_536
    check_room(board(free=needed), image)
    with pytest.raises(Unfit, match=f"1 KB of flash are missing: a version needs {image.head.flash // 1024} KB"):
        check_room(board(free=needed - 1), image)
    check_room(board(free=needed - 100, used={"a": 100, "b": 0}), image)
    heads = {"a": "{}", "b": None}
    with pytest.raises(Unfit):
        check_room(board(free=needed - 100, used={"a": 100, "b": 0}, heads=heads), image)
    check_room(board(free=needed - 100, used={"a": 0, "b": 100}, heads=heads), image)


def test_the_slot_that_is_known_to_be_good_is_never_the_free_one():
    both = {"a": "{}", "b": "{}"}
    for slots, heads, active, free in (
        ({}, {"a": None, "b": None}, None, "a"),
        ({}, {"a": "{}", "b": None}, "a", "b"),
        ({}, {"a": None, "b": "{}"}, "b", "a"),
        ({}, both, "a", "b"),
        ({"active": "b"}, both, "b", "a"),
        ({"active": "b", "trial": "a"}, both, "b", "a"),  # the one on trial is replaced
        ({"active": "b"}, {"a": "{}", "b": None}, "a", "b"),
        ({"active": ["b"]}, both, "a", "b"),
        ({"active": "c"}, both, "a", "b"),
    ):
        found = board(slots=slots, heads=heads)
        assert (found.active, found.free_slot) == (active, free), slots


def test_the_first_start_has_the_safe_levels_of_its_board_already(tmp_path):
    class Port:
        def __init__(self):
            self.lines = []

        def run(self, code):
            self.lines.append(code)

    factory = tmp_path / "factory.json"
    factory.write_text('{"board": "esp32_wrover"}')
    port = Port()
    install.write_factory(port, factory.read_text(), checks.safe_pins(factory))
    assert port.lines[0] == """write('/pins.json', '{"14": 0, "25": 1, "26": 0, "27": 0}')"""
    assert port.lines[1].startswith("write('/factory.json'")
