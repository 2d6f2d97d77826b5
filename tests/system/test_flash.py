"""A board gets its firmware the way a person does it: image, mpremote, serial port, power-on from its own flash."""

import json
import subprocess
import sys
from pathlib import Path

from tools.flash import flash
from tools.image import build
from tools.sim.serial_board import SerialBoard

_TAG = "04A1B2C3"
_PERIOD = {"startPeriod": 0, "limit": 16}
_SCHEDULE = {"chargingRateUnit": "A", "chargingSchedulePeriod": [_PERIOD]}
_PROFILE = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile"}
_PROFILE.update(chargingProfileKind="Relative", chargingSchedule=_SCHEDULE)
_ENTRY = {"idTag": _TAG, "idTagInfo": {"status": "Accepted"}}
_RESERVED = {"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": _TAG, "reservationId": 1}
_CALLS = (
    ("GetConfiguration", {}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "600"}),
    ("ClearCache", {}),
    ("DataTransfer", {"vendorId": "nobody"}),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [_ENTRY]}),
    ("GetLocalListVersion", {}),
    ("ReserveNow", _RESERVED),
    ("CancelReservation", {"reservationId": 1}),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": _PROFILE}),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 600}),
    ("ClearChargingProfile", {"id": 1}),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Operative"}),
    ("UnlockConnector", {"connectorId": 1}),
    ("RemoteStopTransaction", {"transactionId": 1}),
    ("RemoteStartTransaction", {"idTag": _TAG, "connectorId": 9}),
)


def mpremote(board, *commands):
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", board.port, *commands],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stored(board):
    """Returns the names and sizes of all that the station has stored, but for the count of its starts."""
    return [line for line in mpremote(board, "fs", "ls", ":data").splitlines() if " starts." not in line]


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
        assert json.loads(mpremote(board, "resume", "fs", "cat", ":a/manifest.json")) == manifest


def test_a_flashed_board_charges_and_answers_every_call(tmp_path, csms):
    """The image is not what the other tests run: compiled, without asserts, with short private names."""
    image = tmp_path / "image"
    build(image)
    factory = tmp_path / "factory.json"
    settings = {"CentralSystemUrl": csms.url, "ChargePointId": "flashed", "MeterValueSampleInterval": "5"}
    factory.write_text(json.dumps({"board": "simulated", "hw": {"connectors": 1}, "settings": settings}))
    with SerialBoard() as board:
        flash(board.port, image, factory)
        csms.expect("StatusNotification", timeout=30, connectorId=1, status="Available")
        control = board.control()
        for action, payload in _CALLS:
            assert csms.call(action, **payload), action  # a CALLERROR raises
        control.command("plug", connector=1, cable_a=32)
        control.command("rfid", token=_TAG)
        start = csms.expect("StartTransaction", idTag=_TAG)
        control.command("cp", connector=1, state="C")
        control.command("load", connector=1, amps=16)
        csms.expect("StatusNotification", connectorId=1, status="Charging")
        csms.expect("MeterValues", timeout=15, connectorId=1, transactionId=start.transaction_id)
        control.command("fault", connector=1, name="rcd", on=True)
        csms.expect("StatusNotification", connectorId=1, errorCode="GroundFailure")
        control.command("unplug", connector=1)
        stop = csms.expect("StopTransaction", transactionId=start.transaction_id)
        assert stop["meterStop"] >= start["meterStart"]
        control.close()
        assert "AttributeError" not in board.console() and "NameError" not in board.console()
    assert csms.violations == []


def test_flashing_again_copies_nothing_and_keeps_what_the_station_stored(tmp_path, csms):
    image = tmp_path / "image"
    build(image)
    factory = tmp_path / "factory.json"
    factory.write_text(json.dumps({"board": "simulated", "hw": {"connectors": 1}}))
    with SerialBoard() as board:
        assert len(flash(board.port, image, factory).copied) == len(list(image.rglob("*.*"))) - 1
        board.wait_console("wifi: address")
        before = stored(board)
        again = flash(board.port, image)
        assert (again.slot, again.copied, again.taken) == ("a", [], 0)
        assert stored(board) == before


def test_a_factory_file_with_mistakes_stops_the_flashing_and_never_the_board(tmp_path, csms):
    """S1, S2, S9: `make flash` names every mistake before anything is copied; the board names them and runs."""
    image = tmp_path / "image"
    build(image)
    wrong = {"LogLevel": "chatty", "MaxCurrent": "16", "WifiPasword": "correct horse", "ReconnectMin": 1}
    wrong.update(CentralSystemUrl=csms.url, ChargePointId="wrong")
    factory = tmp_path / "factory.json"
    document = {"board": "simulated", "hw": {"connectors": 1, "max_a": 63}, "settings": wrong, "extra": 1}
    factory.write_text(json.dumps(document))
    right = tmp_path / "right.json"
    right.write_text('{"board": "simulated"}')
    with SerialBoard() as board:
        command = [sys.executable, "-m", "tools.flash", board.port, "--image", image, "--factory", factory]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        lines = done.stderr.splitlines()
        assert done.returncode == 1 and len(lines) == 6 and lines[-1] == "nothing was copied", done.stderr
        for word in ("chatty", "did you mean 16000?", "did you mean WifiPassword?", "hw.max_a", "extra"):
            assert word in done.stderr
        assert "correct horse" not in done.stderr
        assert "main.py" not in mpremote(board, "fs", "ls", ":")
        # Somebody puts it there all the same.
        flash(board.port, image, right)
        mpremote(board, "resume", "fs", "cp", str(factory), ":factory.json")
        mpremote(board, "resume", "reset")
        assert csms.expect("BootNotification", timeout=60).station == "wrong"
        board.wait_console("link: ws:")  # the console is slower than the link
        console = board.console()
        console = console[console.rindex(" app: firmware ") :]  # what came before was for mpremote
        assert "Traceback" not in console and "correct horse" not in console
        for word in ("chatty", "did you mean 16000?", "did you mean WifiPassword?", "hw.max_a", "extra"):
            assert word in console
        (started,) = [line for line in console.splitlines() if " app: firmware " in line]
        assert "on board simulated, connectors: 1, MicroPython 1." in started
        assert csms.call("GetConfiguration", key=["LogLevel"])["configurationKey"][0]["value"] == "info"


def test_every_package_of_lib_is_installed_by_mip():
    """S10: `mpremote connect PORT mip install lib/NAME/package.json`, as docs/libraries.md says."""
    lib = Path(__file__).resolve().parents[2] / "lib"
    names = sorted(path.parent.name for path in lib.glob("*/package.json"))
    with SerialBoard() as board:
        mpremote(board, "mip", "install", *[f"{lib}/{name}/package.json" for name in names])
        code = "import " + ", ".join(names) + "; print('all', flashlog.__file__)"
        assert "all /lib/flashlog/__init__.py" in mpremote(board, "resume", "exec", code)
