"""Flashing as a person does it, with mpremote's transport, against a board behind a serial port."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from board_files import BoardFiles

from tools import archive
from tools.flash import Interrupted, Unfit, checks, flash, install
from tools.image import ROOT, build
from tools.serial_port import BoardError, PortError, SerialPort
from tools.sim.serial_board import FLASH_KIB, SerialBoard

_FACTORY = {"board": "simulated", "hw": {"connectors": 1}, "settings": {"FirmwareConfirmTime": "5"}}

_BLINKING = """
import asyncio, machine
watchdog = machine.WDT(timeout=2000)
async def blink():
    while True:
        watchdog.feed()
        await asyncio.sleep(0.1)
print("blinking")
asyncio.run(blink())
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image") / "image"
    build(folder)
    return folder


@pytest.fixture
def factory(tmp_path):
    path = tmp_path / "station.json"
    path.write_text(json.dumps(_FACTORY))
    return path


@pytest.fixture
def files(tmp_path, image):
    """The flash of a board with a station in slot a, confirmed, that has never been started."""
    files = BoardFiles(tmp_path / "board")
    files.install(image, "a", root=True)
    files.write("/factory.json", json.dumps(_FACTORY))
    files.write("/slots.json", '{"active": "a"}')
    return files


def other(image, tmp_path, **texts):
    """Returns another version of the image: files changed, .mpy replaced by source."""
    folder = tmp_path / "other"
    shutil.copytree(image, folder)
    for name, text in {"firmware/version.py": 'VERSION = "9.9.9"\nMICROPYTHON = (1, 27, 0)\n', **texts}.items():
        (folder / name).with_suffix(".mpy").unlink(missing_ok=True)
        (folder / name).write_text(text)
    manifest = archive.describe(folder, archive.FILES, "9.9.9", ["linux"], (1, 27, 0), (6, 0, 0))
    (folder / archive.MANIFEST).write_bytes(manifest)
    return folder


def packed(folder):
    path = folder.with_suffix(".img")
    path.write_bytes(archive.pack(folder))
    return path


def run(port, *options):
    command = [sys.executable, "-m", "tools.flash", str(port), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, cwd=ROOT)


def test_an_empty_board_gets_the_station_and_then_another_version_of_it(image, factory, tmp_path):
    """The log says when it is good; only what has changed is copied, and nothing the second time."""
    first, second = packed(image), packed(other(image, tmp_path))
    count = len(list(archive.Image.load(first).files))
    with SerialBoard() as board:
        done = run(board.port, "--image", first, "--factory", factory, "--wait", 0)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{count} files copied, 0 taken from slot -, 0 were there; all verified" in done.stdout
        board.wait_console("wifi: address")
        # The station runs now, with its watchdog armed.
        done = run(board.port, "--image", second, "--wait", 30)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"1 files copied, {count - 1} taken from slot a, 0 were there; all verified" in done.stdout
        assert done.stdout.splitlines()[-1] == "version 9.9.9, slot b, board simulated, address 127.0.0.1"
        done = run(board.port, "--image", second, "--wait", 0)
        assert done.returncode == 0 and "slot b holds version 9.9.9 already: nothing is copied" in done.stdout
        board.wait_console(" start: slot b, confirmed, boots: 2")
        assert board.starts == 4


def test_a_version_that_does_not_start_is_told_and_the_old_one_runs(files, image, tmp_path):
    broken = packed(other(image, tmp_path, **{"firmware/start.py": "1 / 0\n"}))
    with SerialBoard(files.directory) as board:
        board.wait_console(" app: firmware 0.1.0")
        done = run(board.port, "--image", broken, "--wait", 30)
        assert done.returncode == 1
        assert "the new version does not work: slot b is given up: ZeroDivisionError" in done.stderr
    state = json.loads(files.read("/slots.json"))
    assert state["active"] == "a" and "trial" not in state and state["why"].startswith("9.9.9: ZeroDivisionError")


def test_the_same_version_leaves_safe_mode_when_the_trouble_is_over(files, image, tmp_path):
    """Nothing is copied, but the starts that have failed count no more."""
    files.write("/slots.json", '{"active": "a", "crashes": 3, "ms": 1000, "boots": 5}')
    with SerialBoard(files.directory) as board:
        board.wait_console("SAFE MODE")
        assert flash(board.port, image).copied == []
        board.wait_console(" start: slot a, confirmed, boots: 6")


@pytest.mark.parametrize("at, cut", ((0, False), (7, True), (1000, True)))
def test_an_interruption_leaves_the_old_version(files, image, tmp_path, at, cut):
    """At the first file, in the middle, and after the last one; by Ctrl-C here, or by the power there."""
    seen = []

    def interrupt(name, sent, total):
        seen.append(name)
        if len(seen) > at or not name:
            raise KeyboardInterrupt

    data = sorted(path.relative_to(image).as_posix() for path in (image / "lib").rglob("*.mpy"))
    several = other(image, tmp_path, **{name.replace(".mpy", ".py"): "x = 1\n" for name in data})
    with SerialBoard(files.directory) as board:
        board.wait_console(" app: firmware 0.1.0")
        with SerialPort(board.port) as port:
            if cut:
                port.reset = board.cut
            with pytest.raises(KeyboardInterrupt):
                flash(port, several, progress=interrupt)
        assert len(seen) == min(at, len(data) + 1) + 1
        board.wait_console(" start: slot a, confirmed, boots: 2")
        assert "firmware 9.9.9" not in board.console()
    assert json.loads(files.read("/slots.json"))["active"] == "a"
    assert "manifest.json" not in files.list("/b")


def test_an_earlier_project_is_named_and_removed_after_a_question(image, factory, tmp_path):
    """Its watchdog of two seconds is held off before anything else; a no changes nothing."""
    files = BoardFiles(tmp_path / "board")
    files.write("/main.py", _BLINKING)
    files.write("/boot.py", "# This file is executed on every boot\n#import esp\n")
    files.write("/lib/asyncio/__init__.py", "raise ImportError\n")
    files.write("/notes.txt", "keep me")
    with SerialBoard(files.directory) as board:
        board.wait_console("blinking")
        done = run(board.port, "--image", packed(image), "--factory", factory)
        assert done.returncode == 1 and "nothing was copied" in done.stderr
        assert "  /lib/asyncio/__init__.py\n  /main.py\n" in done.stdout and "boot.py" not in done.stdout
        starts = board.starts
        done = run(board.port, "--image", packed(image), "--factory", factory, "--yes", "--wait", 0)
        assert done.returncode == 0, done.stdout + done.stderr
        board.wait_console("wifi: address")
        assert board.starts == starts + 1, "no watchdog has bitten"
    assert files.list("/") == sorted(
        "a boot.py data factory.json main.py notes.txt pins.json rescue.py slots.json".split()
    )


@pytest.mark.parametrize(
    "config, reason",
    (
        ({"hw": {"psram": False}}, "there is no PSRAM: put ESP32_GENERIC-SPIRAM on a board"),
        ({"sim": {"flash_kib": 900}}, " KB of flash are missing: a version needs "),
    ),
)
def test_what_is_wrong_with_a_board_is_named_before_anything_is_written(image, factory, tmp_path, config, reason):
    with SerialBoard(tmp_path / "board", config) as board:
        with pytest.raises(Unfit, match=reason):
            flash(board.port, image, factory)
    kib = config.get("sim", {}).get("flash_kib", FLASH_KIB)
    assert BoardFiles(tmp_path / "board", kib).list("/") == []


def test_the_log_is_read_and_the_station_goes_on(files, tmp_path):
    log = tmp_path / "station.log"
    with SerialBoard(files.directory) as board:
        command = [sys.executable, "-m", "tools.logs", board.port, "--file", log]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as logs:
            try:
                line = next(line for line in logs.stdout if " app: firmware " in line)
            finally:
                logs.send_signal(signal.SIGINT)
            assert logs.wait(10) == 0
        assert line in log.read_text()
        board.wait_console("wifi: address")
        assert board.starts == 1 and "Traceback" not in board.console()


def test_a_port_that_is_not_there_is_named():
    with pytest.raises(PortError, match="there is no port /dev/ttyACM99"):
        SerialPort("/dev/ttyACM99")
    done = run("/dev/ttyACM99", "--image", Path(__file__))
    assert done.returncode == 1 and "there is no port /dev/ttyACM99" in done.stderr
    assert done.stderr.endswith("nothing was copied\n")


def test_a_flash_that_refuses_is_told_and_the_old_version_runs(files, image, tmp_path):
    several = other(image, tmp_path)
    with SerialBoard(files.directory) as board:
        board.wait_console(" app: firmware 0.1.0")
        with SerialPort(board.port) as port:
            put = port.run

            def run(code):
                return put("raise OSError(28)" if code.startswith("open_file('/b/firmware/version.py')") else code)

            port.run = run
            with pytest.raises(Interrupted, match="OSError"):
                flash(port, several)
        board.wait_console(" start: slot a, confirmed, boots: 2")


def test_a_damaged_archive_is_refused_before_the_board_is_asked(image, tmp_path):
    data = bytearray(archive.pack(image))
    data[len(data) // 2] ^= 1
    path = tmp_path / "damaged.img"
    path.write_bytes(data)
    with SerialBoard() as board:
        done = run(board.port, "--image", path)
        assert (
            done.returncode == 1 and ": the image is damaged: " in done.stderr and "nothing was copied" in done.stderr
        )


_UNPACK = """
from firmware.maintenance.slots import ApplicationSlots
from firmware.maintenance.unpacking import Unpacking
def unpack(name):
    slots = ApplicationSlots("a")
    unpacking = Unpacking(slots)
    with open(name, "rb") as file:
        while True:
            data = file.read(1000)
            if not data:
                break
            for _ in unpacking.receive(data):
                pass
    for _ in unpacking.finish():
        pass
    slots.try_next()
"""


def test_the_station_itself_unpacks_the_same_archive(files, image, tmp_path):
    """As portal and back-end will; it takes as much flash as the manifest says, and is tried like any version."""
    loaded = archive.Image.load(other(image, tmp_path))
    data = archive.pack(tmp_path / "other")
    with SerialBoard(files.directory) as board, SerialPort(board.port) as port:
        port.interrupt()
        install.prepare(port)
        install.put(port, "/cut.img", data[:100_000])
        install.put(port, "/x.img", data)
        port.run(_UNPACK)
        with pytest.raises(BoardError, match="ImageError: is incomplete: it ends after"):
            port.run("unpack('/cut.img')")
        assert checks.look(port).heads["b"] is None
        port.run("remove(['/cut.img'])")
        before = checks.look(port)
        port.run("unpack('/x.img')")
        after = checks.look(port)
        # statvfs counts directories twice; most are there already.
        taken = before.used["b"] + before.free - after.free
        folders = {str(parent) for name in loaded.files for parent in Path(name).parents}
        assert abs(taken - 2 * 4096 * len(folders) - loaded.head.flash) < 65_536
        port.reset()
        board.wait_console(" start: slot b, on trial, boots: 1")
        board.wait_console(" app: firmware 9.9.9 on board simulated")
