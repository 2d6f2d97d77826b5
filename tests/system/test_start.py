"""How a board starts, and what it does when that fails: boards from their own flash, boot.py and main.py included."""

import json
import shutil
import time

import pytest
from board_files import BoardFiles
from waiting import until

from tools.image import ROOT, build
from tools.sim.serial_board import SerialBoard

_FACTORY = {"board": "simulated", "hw": {"connectors": 1}, "settings": {"FirmwareConfirmTime": "5"}}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image") / "image"
    build(folder)
    return folder


@pytest.fixture
def files(tmp_path, image):
    """The flash of a board with the application in slot a."""
    files = BoardFiles(tmp_path / "board")
    files.install(image, "a", root=True)
    files.write("/factory.json", json.dumps(_FACTORY))
    # A tenth of the times of a board.
    files.write("/main.py", files.read("/main.py").replace("timeout=30_000", "timeout=3_000"))
    files.write("/rescue.py", files.read("/rescue.py").replace("_PAUSE_S = 5", "_PAUSE_S = 0.2"))
    return files


@pytest.fixture
def board(files):
    return power_on(files)


def power_on(files, **hw):
    return SerialBoard(files.directory, {"hw": hw, "sim": {"flash_kib": 4096}})  # two slots, and some room


def other(files, image, tmp_path, path=None, text=None, version="9.9.9"):
    """Installs another version in slot b and has it tried; `text` replaces one of its files."""
    folder = tmp_path / "other"
    shutil.copytree(image, folder)
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace('"version": "0.1.0"', f'"version": "{version}"'))
    if path:
        (folder / path).with_suffix(".mpy").unlink(missing_ok=True)
        (folder / path).write_text(text)
    files.install(folder, "b")
    files.write("/slots.json", json.dumps({"active": "a", "trial": "b"}))


def state_of(files):
    return json.loads(files.read("/slots.json"))


def test_the_first_start_is_confirmed_and_keeps_the_pins(board, files):
    with board:
        board.wait_console("start: confirmed: slot a, confirmed, boots: 1")
    assert state_of(files) == {"active": "a", "boots": 1}
    pins = json.loads(files.read("/pins.json"))
    assert pins["1"] == 1 and pins["4"] == pins["5"] == pins["8"] == pins["9"] == 0


def test_the_pilot_is_at_12_v_before_anything_is_imported(board, files):
    with board:
        board.wait_console("wifi: address")
    files.write("/main.py", "from machine import _Board\nprint('duty', _Board.world.outlets[0].pilot.duty)")
    with power_on(files) as board:
        board.wait_console("duty 10000")


def test_another_version_is_tried_and_confirmed(board, files, image, tmp_path):
    other(files, image, tmp_path)
    with board:
        board.wait_console("start: slot b, on trial, boots: 1")
        board.wait_console("start: confirmed: slot b, confirmed, boots: 1")
        board.cut()
        board.wait_console("start: slot b, confirmed, boots: 2")
    assert state_of(files) == {"active": "b", "tries": 1, "boots": 2, "begun": 1}


_HANG = "while True:\n    pass\n"
_DEAF = """
from firmware.kernel import tasks
_add = tasks.Supervisor.add
def add(self, name, run, *args, **kwargs):
    async def fails(beat):
        raise ValueError("no radio")
    _add(self, name, fails if name == "wifi" else run, *args, **kwargs)
tasks.Supervisor.add = add
"""


@pytest.mark.parametrize(
    "path, text, why",
    [
        ("firmware/app.py", "1 / 0\n", "ZeroDivisionError: divide by zero"),
        ("firmware/start.py", "import nowhere\n", "ImportError: no module named 'nowhere'"),
        ("firmware/start.py", "def run(:\n", "SyntaxError: invalid syntax"),
        ("firmware/start.py", "x = bytearray(1 << 40)\n", "MemoryError: "),
        ("firmware/app.mpy", "M\x01\x00\x1f", "ValueError: incompatible .mpy file"),
        ("firmware/start.py", _HANG, "watchdog"),
        ("firmware/start.py", "def run():\n    while True:\n        pass\n", "watchdog"),
        ("firmware/version.py", _DEAF + "VERSION = '9.9.9'\n", "task wifi was restarted"),
    ],
)
def test_a_version_that_fails_is_given_back(board, files, image, tmp_path, path, text, why):
    other(files, image, tmp_path, path, text)
    kept = ("9.9.9: " + why)[:40]
    with board:
        board.wait_console("start: slot a, confirmed, boots: 1, given back: " + kept)
        board.wait_console("wifi: address")
        control = board.control()
        assert control.command("health")["slots"]["why"].startswith(kept)
        control.close()
    state = state_of(files)
    assert "trial" not in state and state["active"] == "a" and len(files.read("/slots.json")) <= 128
    if "task" not in why:
        (record,) = [json.loads(line) for line in files.read("/crashes.json").splitlines()]
        assert record["slot"] == "b" and record["version"] == "9.9.9" and record["why"].startswith(why)


def broken(files, text, path="firmware/start.py"):
    """Replaces a file of the only application that there is."""
    files.remove("/a/" + path.replace(".py", ".mpy"))
    files.write("/a/" + path, text)


@pytest.mark.parametrize(
    "text, why",
    [
        ("1 / 0\n", "ZeroDivisionError: divide by zero"),
        (_HANG, "watchdog"),
        ("import machine\nmachine.reset()\n", "panic"),  # to main.py it looks like one
        (None, "ImportError: no module named 'firmware'"),  # no slot is complete
    ],
)
def test_the_third_failure_ends_in_safe_mode_and_a_good_version_ends_that(board, files, image, tmp_path, text, why):
    if text:
        broken(files, text)
    else:
        files.remove("/a/manifest.json")
    with board:
        board.wait_console("SAFE MODE", timeout=60)
        board.wait_console(">>> ")
        console = board.console()
        assert board.starts == 4 and console.count(" after ") == 3 and why in console[console.index("SAFE MODE") :]
        assert int((files.directory / "watchdog").read_text()) / 1000 > time.time() + 3_000, "it leaves time to look"
    assert state_of(files)["crashes"] == 2, "the next reset tries once more"
    with power_on(files) as board:
        board.wait_console("SAFE MODE", timeout=60)
        assert board.starts == 2
    other(files, image, tmp_path)
    with power_on(files) as board:
        board.wait_console("start: confirmed: slot b")
        assert "SAFE MODE" not in board.console()
    assert state_of(files) == {"active": "b", "boots": 1}


def test_a_board_whose_trouble_is_over_leaves_safe_mode_by_itself(board, files):
    source = (ROOT / "firmware" / "start.py").read_text()
    broken(files, source + "\n\nimport os\n\nos.stat('/mended')\n")
    with board:
        board.wait_console("SAFE MODE")
    files.write("/mended", "")
    with power_on(files) as board:
        board.wait_console("start: failed 2 times before, the last time: OSError: [Errno 2] ENOENT")
        board.wait_console("start: confirmed: slot a")
    assert "crashes" not in state_of(files)


def test_what_is_missing_is_said_in_words(files):
    broken(files, "x = bytearray(1 << 40)\n")
    with power_on(files, psram=False) as board:
        board.wait_console(">>> ")
        assert board.console().count("this MicroPython has no PSRAM: use ") == 6  # at each failure, and at the end


def test_who_interrupts_at_the_console_has_an_hour_and_no_failure_is_counted(board, files):
    with board:
        board.wait_console("wifi: address")
        board.interrupt()
        board.wait_console(">>> ")
        assert int((files.directory / "watchdog").read_text()) / 1000 > time.time() + 3_000
    assert state_of(files)["tries"] == 0


# Bytes after which the power goes: a start writes 200, and then the confirmation.
_CUTS = (0, 30, 60, 100, 150, 200, 260)


def test_a_power_cut_while_a_new_version_starts_loses_nothing(files, image, tmp_path):
    settings = {**_FACTORY["settings"], "FreevendEnabled": "true", "FreevendIdTag": "ANYBODY"}
    files.write("/factory.json", json.dumps({**_FACTORY, "settings": settings}))
    with power_on(files) as board:
        control = board.control()
        control.command("set_key", key="HeartbeatInterval", value="777")
        control.command("plug", connector=1, cable_a=32)
        until(lambda: control.command("state")["connectors"][0]["tx"], 10)
        control.command("unplug", connector=1)
        until(lambda: not control.command("state")["connectors"][0]["tx"], 10)
        control.close()
    with power_on(files) as board:
        board.wait_console("wifi: address")
        control = board.control()
        waiting = control.command("state")["queue"]
        assert waiting >= 2
        control.close()
    other(files, image, tmp_path)
    cuts = 0
    for count in _CUTS:
        files.write("/slots.json", json.dumps({"active": "a", "trial": "b"}))
        board = power_on(files)
        board.cut_after(count)
        with board:
            board.wait_console("wifi: address")
            cuts += board.starts - 1 if count < 200 else 0
            control = board.control()
            assert control.command("state")["queue"] == waiting
            assert control.command("set_key", key="HeartbeatInterval", value="777")["ok"]
            assert control.command("update")["slot"] == "b"
            control.close()
            if count >= 200:
                board.wait_console("start: confirmed: slot b")
                cuts += board.starts - 1
    assert cuts == len(_CUTS)
    assert '"HeartbeatInterval":"777"' in (files.read("/data/settings.a") or files.read("/data/settings.b"))
