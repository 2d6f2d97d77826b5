"""The simulated charger that starts from its own flash (sim.boot): slots, updates and resets with run.py alone."""

import shutil

import pytest
from waiting import until

from tools.image import build
from tools.sim import Charger, CommandFailed

_TAG = "04A1B2C3"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image") / "image"
    build(folder)
    return folder


@pytest.fixture
def charger(csms, start_charger, image):
    sim = {"boot": "flash", "image": str(image), "flash_kib": 6144}
    charger = start_charger(csms.url, keys={"FirmwareConfirmTime": "5", "LogLevel": "info"}, config={"sim": sim})
    charger.wait_boot()
    return charger


def test_it_charges_restarts_and_tells_its_slot(charger, csms):
    assert charger.state()["slot"] == "a"
    told = charger.command("update")
    assert (told["slot"], told["version"], told["confirmed"], told["boots"]) == ("a", "0.1.0", False, 1)
    assert any("app: firmware 0.1.0" in line for line in charger.state()["log"])
    charger.plug()
    charger.swipe(_TAG)
    start = csms.expect("StartTransaction", idTag=_TAG)
    charger.draw(16)
    charger.wait_state(status="Charging")
    until(lambda: charger.command("update")["confirmed"], 15)
    key = csms.call("GetConfiguration", key=["FirmwareSlot"])["configurationKey"][0]
    assert key == {"key": "FirmwareSlot", "readonly": True, "value": "slot a, confirmed, boots: 1"}
    assert csms.call("Reset", type="Hard")["status"] == "Accepted"
    csms.expect("StopTransaction", transactionId=start.transaction_id, reason="HardReset")
    assert charger.wait_exit() == 65
    charger.restart()
    charger.wait_boot()
    assert charger.command("update")["boots"] == 2
    assert charger.command("health")["starts"] == {"power-on": 1, "reset": 1}
    assert csms.violations == []


def test_commands_and_signals_end_it_as_they_end_the_other(charger):
    charger.command("reset")
    assert charger.wait_exit() == 66
    charger.restart()
    charger.wait_boot()
    assert charger.command("health")["started"] == "watchdog"
    charger.command("exit")
    assert charger.wait_exit() == 0
    charger.restart()
    charger.wait_boot()
    charger.process.terminate()
    assert charger.wait_exit() == 0


def test_the_watchdog_ends_a_start_that_hangs(image, tmp_path):
    hanging = tmp_path / "hanging"
    shutil.copytree(image, hanging)
    main = hanging / "root" / "main.py"
    main.write_text(main.read_text().replace("timeout=30_000", "timeout=2_000"))
    start = hanging / "firmware" / "start.mpy"
    start.unlink()
    start.with_suffix(".py").write_text("while True:\n    pass\n")
    sim = {"boot": "flash", "image": str(hanging), "flash_kib": 6144}
    charger = Charger(None, directory=tmp_path / "charger", config={"sim": sim})
    for _ in range(3):
        with pytest.raises(RuntimeError):
            charger.start()
        assert charger.process.returncode == 66
    start = charger.start()
    assert start.state()["slot"] is None and "SAFE MODE" in start.output()
    charger.close()


def test_a_flash_without_an_application_leaves_the_hardware_alone(start_charger, tmp_path, image):
    empty = tmp_path / "empty"
    (empty / "root").mkdir(parents=True)
    (empty / "manifest.json").write_text("{}")
    sim = {"boot": "flash", "image": str(empty)}
    charger = start_charger(None, config={"sim": sim})
    assert charger.state()["boot"] == "None" and charger.state()["slot"] is None
    with pytest.raises(CommandFailed):
        charger.command("update")
