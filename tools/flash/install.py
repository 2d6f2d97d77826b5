"""Fills the free slot of a board with what has changed, and has it tried at the next start."""

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path

from tools.archive import Image
from tools.flash.checks import Board
from tools.serial_port import BoardError, SerialPort

_ON_BOARD = Path(__file__).with_name("on_board.py")
_PIECE = 4096  # bytes of a file in one line to the REPL, before they are compressed
_WINDOW_BITS = 12

Progress = Callable[[str, int, int], None]  # name of the file, bytes sent, bytes in all


class Outcome:
    """slot: where the version lies; copied: files that were sent; taken: files that were on the board already."""

    def __init__(self, slot: str, copied: list[str], taken: int):
        self.slot = slot
        self.copied = copied
        self.taken = taken


def prepare(port: SerialPort) -> None:
    """Sends the board, whose program is stopped, what runs there: on_board.py."""
    port.run(_ON_BOARD.read_text())


def put(port: SerialPort, path: str, data: bytes) -> None:
    """Writes a file on the board."""
    port.run(f"open_file({path!r})")
    for at in range(0, len(data), _PIECE):
        packer = zlib.compressobj(9, zlib.DEFLATED, -_WINDOW_BITS)
        packed = packer.compress(data[at : at + _PIECE]) + packer.flush()
        port.run(f"add({base64.b64encode(packed).decode()!r})")
    port.run("close_file()")


def is_there(port: SerialPort, board: Board, image: Image) -> bool:
    """Tells whether the good slot of the board holds this very image, each file by its hash."""
    head = image.manifest.partition(b"\n")[0].decode() + "\n"
    return (
        bool(board.active) and board.heads[board.active] == head and not _missing(port, board.active, "manifest.json")
    )


def keep_active(port: SerialPort, board: Board) -> None:
    """The good slot is the one to be started, whatever else was to be tried; starts that failed are forgotten."""
    kept = {key: board.slots[key] for key in ("boots", "why") if key in board.slots}
    if board.active and set(board.slots) - set(kept) != {"active"}:
        port.run(f"write('/slots.json', {json.dumps({'active': board.active, **kept})!r})")


def install(port: SerialPort, board: Board, image: Image, progress: Progress) -> Outcome:
    """Fills the free slot. An interruption at any point leaves the good slot as it is. Raises BoardError, PortError."""
    slot = board.free_slot
    keep_active(port, board)
    port.run(f"begin('/{slot}')")
    put(port, f"/{slot}/manifest.new", image.manifest)
    missing = _missing(port, slot, "manifest.new", board.active)
    names = missing.names
    sent, total = 0, sum(len(image.files[name]) for name in names)
    for name in names:
        progress(name, sent, total)
        put(port, f"/{slot}/{name}", image.files[name])
        sent += len(image.files[name])
    if names:
        progress("", sent, total)
    wrong = _missing(port, slot, "manifest.new").names
    if wrong:
        raise BoardError(f"{wrong[0]} is not what was written: the flash is worn out or full")
    port.run(f"complete('/{slot}')")
    return Outcome(slot, names, missing.taken)


class _Missing:
    def __init__(self, text: str):
        *self.names, last = text.split("\n")[:-1]
        self.taken = int(last.removeprefix("taken "))

    def __bool__(self):
        return bool(self.names)


def _missing(port: SerialPort, slot: str, manifest: str, source: str | None = None) -> _Missing:
    where = f"/{source}" if source else None
    return _Missing(port.run(f"compare('/{slot}', {manifest!r}, {where!r})"))


def write_root(port: SerialPort, root: dict[str, bytes]) -> None:
    """Writes what starts the slots. boot.py comes last: with it the board is a charging station."""
    for name in sorted(root, reverse=True):
        port.run(f"write({'/' + name!r}, {root[name].decode()!r})")


def write_factory(port: SerialPort, text: str, pins: str) -> None:
    """Writes factory.json, and the safe levels of that board's pins, so that its first start has them already."""
    port.run(f"write('/pins.json', {pins!r})")
    port.run(f"write('/factory.json', {text!r})")


def try_slot(port: SerialPort, board: Board, slot: str) -> None:
    """The next start tries a slot. Where there is no good one, it starts without that."""
    if board.active:
        port.run(f"write('/slots.json', {json.dumps({'active': board.active, 'trial': slot})!r})")
    elif board.slots:
        port.run("remove(['/slots.json'])")  # what it says is of another life
