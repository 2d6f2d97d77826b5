"""A board gets its firmware the way a person does it: image, mpremote, serial port, power-on from its own flash."""

import json
import subprocess
import sys

from tools.flash import flash
from tools.image import build
from tools.sim.serial_board import SerialBoard


def mpremote(board, *commands):
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", board.port, *commands], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_flashed_board_boots_from_its_own_flash_and_registers(tmp_path, csms):
    image = tmp_path / "image"
    manifest = build(image)
    factory = tmp_path / "factory.json"
    settings = {"CentralSystemUrl": csms.url, "ChargePointId": "flashed", "ReconnectMin": "1"}
    factory.write_text(json.dumps({"board": "simulated", "hw": {"connectors": 1}, "settings": settings}))
    with SerialBoard() as board:
        flash(board.port, image, factory)
        boot = csms.expect("BootNotification", timeout=30)
        assert boot.station == "flashed"
        assert boot.payload["firmwareVersion"] == manifest["version"]
        control = board.control()
        control.command("plug", connector=1, cable_a=32)
        csms.expect("StatusNotification", connectorId=1, status="Preparing")
        control.close()
        assert json.loads(mpremote(board, "resume", "fs", "cat", ":manifest.json")) == manifest


def test_flashing_again_copies_nothing_and_keeps_what_the_station_stored(tmp_path, csms):
    image = tmp_path / "image"
    build(image)
    factory = tmp_path / "factory.json"
    factory.write_text(json.dumps({"board": "simulated", "hw": {"connectors": 1}}))
    with SerialBoard() as board:
        flash(board.port, image, factory)
        board.wait_console("wifi: address")
        before = mpremote(board, "fs", "ls", ":data")
        again = mpremote(board, "resume", "fs", "cp", "-r", f"{image}/.", ":")
        assert again.count("Up to date") == len(list(image.rglob("*.*")))
        assert mpremote(board, "resume", "fs", "ls", ":data") == before
