# interpreters: cpython
"""MicroPython itself is put on a board by the real esptool; here against an emulation of the chip's boot loader."""

import subprocess
import sys

import pytest
from esp32_mock_bootloader import mock_bootloader

from tools.micropython import WrongFile, examine

_S3 = b"Generic ESP32S3 module with Octal-SPIRAM with ESP32S3"


def firmware(path, chip=9, version=b"MicroPython v1.28.0 on 2026-04-01", board=_S3):
    header = bytes([0xE9, 4, 2, 0x4F]) + bytes(8) + chip.to_bytes(2, "little")
    path.write_bytes(header + bytes(2000) + version + b"\0" + board + b"\0" + bytes(range(256)) * 100)
    return path


def run(*arguments, port="/dev/nowhere"):
    command = [sys.executable, "-m", "tools.micropython", port, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_esptool_writes_and_verifies_it(tmp_path):
    file = firmware(tmp_path / "s3.bin")
    with mock_bootloader(chip="esp32s3") as board:
        done = run(file, "--erase", "--yes", port=board.url())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"MicroPython 1.28.0, {_S3.decode()}\n")
    assert "erased successfully" in done.stdout and "at 0x00000000" in done.stdout
    assert "Hash of data verified" in done.stdout


def test_a_file_of_another_chip_is_refused_by_the_board(tmp_path):
    file = firmware(tmp_path / "s3.bin")
    with mock_bootloader(chip="esp32") as board:
        done = run(file, port=board.url())
    assert done.returncode != 0 and "verified" not in done.stdout


def test_each_chip_has_its_address(tmp_path):
    assert examine(firmware(tmp_path / "s3.bin")).address == 0
    board = b"Generic ESP32 module with SPIRAM with ESP32"
    found = examine(firmware(tmp_path / "esp32.bin", 0, board=board))
    assert (found.chip, found.address, found.version) == ("esp32", 0x1000, (1, 28, 0))


@pytest.mark.parametrize(
    "changes, reason",
    (
        ({"chip": 5}, "no application for an ESP32 or ESP32-S3"),
        ({"version": b""}, "no MicroPython in it"),
        ({"version": b"MicroPython v1.26.1 on 2025-09-11"}, "MicroPython 1.26.1, at least 1.27.0 is needed"),
        ({"chip": 0, "board": b"Generic ESP32 module with ESP32"}, "without PSRAM: take the variant SPIRAM"),
    ),
)
def test_a_file_that_cannot_work_is_named(tmp_path, changes, reason):
    with pytest.raises(WrongFile, match=reason):
        examine(firmware(tmp_path / "x.bin", **changes))


def test_something_else_is_named_and_nothing_is_written(tmp_path):
    page = tmp_path / "page.bin"
    page.write_text("<html>" * 1000)
    for file, reason in ((page, "no application for an ESP32"), (tmp_path / "none.bin", "No such file")):
        done = run(file)
        assert done.returncode == 1 and f"{file}: {reason}" in done.stderr and "esptool" not in done.stdout


def test_nothing_is_erased_without_a_yes(tmp_path):
    done = run(firmware(tmp_path / "s3.bin"), "--erase")
    assert done.returncode == 1 and "esptool" not in done.stdout and "YES=1" in done.stderr
