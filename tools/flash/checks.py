"""What the board at a port is, and what would go wrong on it: looked at before anything is written."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from tools.archive import Image
from tools.docs.pages import prepare_imports
from tools.serial_port import BoardError, SerialPort

_SLOTS = ("a", "b")
_ROOM = 65_536  # bytes of flash that are left to the journal


class FactoryError(ValueError):
    """The factory file is wrong; `mistakes` are lines of text."""

    def __init__(self, mistakes: list[str]):
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class Unfit(ValueError):
    """The board cannot take the image; `reasons` are lines of text."""

    def __init__(self, reasons: list[str]):
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def mistakes_in(factory: Path) -> list[str]:
    """Returns what is wrong with a factory file, one line each: the very check of the board."""
    prepare_imports()
    from firmware.factory import load

    if not factory.is_file():
        return ["no such file"]
    return list(load(str(factory)).mistakes)


def safe_pins(factory: Path) -> str:
    """Returns the content of pins.json for the board of a factory file."""
    prepare_imports()
    from firmware.boards.safe_pins import as_text
    from firmware.factory import load

    return as_text(load(str(factory)).layout)


@dataclass
class Board:
    """What on_board.look() has found.

    code     files with code of somebody else
    active   slot that is known to be good, None: there is none
    slots    content of slots.json
    heads    {slot: first line of its manifest, None: it is not complete}
    """

    machine: str
    version: tuple[int, int, int]
    mpy: tuple[int, int, int]
    psram: bool
    mounts: list
    total: int
    free: int
    partition: int
    factory: str | None
    root: dict
    used: dict
    heads: dict
    slots: dict = field(default_factory=dict)
    code: list = field(default_factory=list)

    @property
    def chip(self) -> str:
        return self.machine.rpartition(" with ")[2].split(" ")[0].lower()

    @property
    def active(self) -> str | None:
        for slot in (self.slots.get("active"), *_SLOTS):
            if slot in _SLOTS and self.heads[slot]:
                return slot
        return None

    @property
    def free_slot(self) -> str:
        return _SLOTS[1] if self.active == _SLOTS[0] else _SLOTS[0]


def look(port: SerialPort) -> Board:
    """Returns what the board is, where install.prepare() was called. Raises BoardError, PortError."""
    text = port.run("look()")
    try:
        facts = json.loads(text)
    except ValueError:
        raise BoardError(f"not what was expected: {text[:80]!r}") from None
    mpy = facts["mpy"]
    try:
        slots = json.loads(facts["slots"] or "{}")
    except ValueError:
        slots = {}
    names = ("machine", "psram", "mounts", "total", "free", "partition", "factory", "root", "used", "heads")
    board = Board(
        version=tuple(facts["version"]),
        mpy=(mpy & 0xFF, mpy >> 8 & 3, mpy >> 10),
        slots=slots if isinstance(slots, dict) else {},
        **{name: facts[name] for name in names},
    )
    ours = {f"/{name}" for name in board.root} if board.active else set()
    board.code = [path for path in facts["code"] if path not in ours]
    return board


def problems(board: Board, image: Image, factory: Path | None) -> list[str]:
    """Returns why the board cannot take the image, one line each."""
    prepare_imports()
    from firmware.factory import load, read
    from firmware.maintenance.image import Device, ImageError

    found = []
    try:
        image.head.check(Device(board.chip, board.version, board.mpy))
    except ImageError as error:
        found.append(f"the image {error}")
    if not board.psram:
        found.append(_no_psram(board.chip))
    found += _file_system(board)
    station = load(str(factory)) if factory else read(board.factory or "{}")
    chip = station.layout["chip"]
    if chip != board.chip:
        hint = (
            ""
            if factory or board.factory
            else ", which is the default: say what this station is (FACTORY=station.json)"
        )
        found.append(f"board {station.board} is made for {chip}, this is {board.chip}{hint}")
    return found


def check_room(board: Board, image: Image) -> None:
    """Raises Unfit when the free slot cannot hold the image beside what the station stores."""
    lacking = image.head.flash + _ROOM - board.free - board.used[board.free_slot]
    if lacking > 0:
        need = f"a version needs {image.head.flash // 1024} KB in its slot, and the journal {_ROOM // 1024} KB"
        raise Unfit([f"{-(-lacking // 1024)} KB of flash are missing: {need}"])


def _no_psram(chip: str) -> str:
    variant = "ESP32_GENERIC_S3-SPIRAM_OCT" if chip == "esp32s3" else "ESP32_GENERIC-SPIRAM"
    return (
        f"there is no PSRAM: put {variant} on a board that has it (make micropython), "
        "or freeze the firmware (docs/production.md)"
    )


def _file_system(board: Board) -> list[str]:
    anew = "a new one is made by make micropython ERASE=1, which loses everything on the board"
    kinds = [kind for kind, path in board.mounts if path == "/"]
    if not board.total:
        return [f"there is no file system on the flash: {anew}"]
    if kinds and kinds[0] != "VfsLfs2":
        return [f"the file system is {kinds[0]}, not LittleFS, and would not survive a power cut: {anew}"]
    if board.partition and board.total < board.partition:
        sizes = f"{board.total // 1024} of {board.partition // 1024} KB"
        return [f"the file system has {sizes}: it comes from a board with another flash: {anew}"]
    return []
