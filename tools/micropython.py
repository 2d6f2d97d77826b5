"""Puts MicroPython itself on a board with esptool: `python -m tools.micropython PORT FIRMWARE.bin [--erase] [--yes]`.

FIRMWARE.bin is the file that micropython.org offers for a board with PSRAM. It is looked into first: its chip, its
version, and whether it knows PSRAM. esptool refuses a file of another chip than the board's. Without --erase the file
system on the board stays as it is; with it the flash is erased, settings and transactions too, after a question.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from firmware.version import MICROPYTHON
from tools.archive import chip_of
from tools.terminal import agreed

_BAUDRATE = "460800"
# Where the boot loader of a chip lies in flash: the file begins with it.
_ADDRESS = {"esp32": 0x1000, "esp32s3": 0}
_VERSION = re.compile(rb"MicroPython v(\d+)\.(\d+)\.(\d+)[-.\w]* on \d{4}-\d\d-\d\d")
_BOARD = re.compile(rb"[ -~]+ with ESP32\w*")


class WrongFile(ValueError):
    """The file is no MicroPython for a charging station; the text says why."""


@dataclass
class Interpreter:
    """What a file with MicroPython says about itself."""

    chip: str
    address: int  # where it is written to
    version: tuple[int, int, int]
    board: str


def examine(path: Path) -> Interpreter:
    """Returns what the file is. Raises WrongFile, OSError."""
    data = path.read_bytes()
    try:
        chip = chip_of(data)
    except ValueError as error:
        raise WrongFile(f"{error}: take the .bin file of a board that this firmware knows")
    version = _VERSION.search(data)
    if not version:
        raise WrongFile("no MicroPython in it")
    board = _BOARD.search(data)
    numbers = tuple(map(int, version.groups()))
    found = Interpreter(chip, _ADDRESS[chip], numbers, board.group().decode() if board else "")
    if found.version < MICROPYTHON:
        needed, there = (".".join(map(str, version)) for version in (MICROPYTHON, found.version))
        raise WrongFile(f"MicroPython {there}, at least {needed} is needed")
    if found.chip == "esp32" and "SPIRAM" not in found.board:
        raise WrongFile("without PSRAM: take the variant SPIRAM of ESP32_GENERIC")
    return found


def write(port: str, path: Path, interpreter: Interpreter, erase: bool) -> int:
    """Writes and verifies the file; returns esptool's exit code."""
    command = [sys.executable, "-m", "esptool", "--chip", interpreter.chip, "--port", port, "--baud", _BAUDRATE]
    command += ["write-flash", *(["--erase-all"] if erase else []), hex(interpreter.address), str(path)]
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.micropython", description=__doc__.splitlines()[0])
    parser.add_argument("port", help="serial port of the board")
    parser.add_argument("firmware", type=Path, help="MicroPython as micropython.org offers it, *.bin")
    parser.add_argument("--erase", action="store_true", help="erase the whole flash first")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    arguments = parser.parse_args()
    try:
        interpreter = examine(arguments.firmware)
    except (OSError, WrongFile) as error:
        print(f"{arguments.firmware}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 1
    print(f"MicroPython {'.'.join(map(str, interpreter.version))}, {interpreter.board or interpreter.chip}")
    if "SPIRAM" not in interpreter.board:
        print("Its name does not tell of octal PSRAM: an N8R8 or N16R8 module needs the variant SPIRAM_OCT.")
    if arguments.erase:
        print("Everything on the board is lost: settings, identity, transactions that were not delivered.")
        if not (arguments.yes or agreed("Erase it?")):
            return 1
    return write(arguments.port, arguments.firmware, interpreter, arguments.erase)


if __name__ == "__main__":
    sys.exit(main())
