"""Control interface 1.1 through the real process: one charger for many commands, and what its state directory keeps."""

import subprocess
import time

import pytest
from host import timed

from tools.csms import CentralSystem, Policy
from tools.sim import Charger, CommandFailed, ControlClient, free_port
from tools.sim.charger import ROOT, interpreter

REPLY_S = 0.1


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A charger that runs ten times as fast, and whose central system is not there."""
    with Charger(rate=10, directory=tmp_path_factory.mktemp("shared"), config={"hw": {"connectors": 2}}) as charger:
        charger.expect("ws", state="down")
        yield charger


def test_hello_and_state_have_the_new_fields(shared):
    hello, state = shared.command("hello"), shared.state()
    assert (hello["proto"], hello["minor"], hello["portal"]) == (1, 1, None)
    assert state["version"] == hello["fw"]
    assert set(state["gc"]) == {"collections", "longest_ms", "while_closed"}
    assert set(state["holds"]) == {"p999_ms", "max_ms"} and state["holds"]["max_ms"] >= state["holds"]["p999_ms"]
    assert 1 <= len(state["log"]) <= 20 and all(isinstance(line, str) for line in state["log"])
    assert (state["net"], state["portal"], state["slot"]) == (None, None, None)


def test_collections_are_counted(shared):
    before = shared.state()["gc"]["collections"]
    deadline = time.monotonic() + 10
    while shared.state()["gc"]["collections"] == before:  # each answer is some garbage
        assert time.monotonic() < deadline
    assert shared.state()["gc"]["while_closed"] == 0


@pytest.mark.parametrize(
    "request_",
    [
        {"cmd": "wifi", "ssid": "x"}, {"cmd": "ethernet", "up": True}, {"cmd": "label"},
        {"cmd": "fault", "name": "smgw_full"},
        {"cmd": "device", "name": "evcc", "state": "faulted"},
    ],
)  # fmt: skip
def test_what_is_not_there_yet_says_so(shared, request_):
    def ask():
        with pytest.raises(CommandFailed, match="not yet"):
            shared.client.command(**request_)

    assert timed(shared.process.pid, ask)[1] < REPLY_S


def test_the_log_is_told_once_asked_for(shared):
    assert not any(event["ev"] == "log" for event in shared.events)
    shared.command("log", level="info")
    shared.command("contact", aux="closed")
    shared.expect("fault", name="contactor_welded", on=True)
    told = shared.expect("log", area="evse1")
    assert told["level"] in ("info", "warning", "error") and told["text"]
    shared.command("contact", aux="follow")
    shared.plug()
    shared.unplug()
    shared.expect("fault", name="contactor_welded", on=False)
    assert any(told["text"] in line for line in shared.state()["log"])


def test_messages_are_for_those_who_want_them(start_charger, csms):
    charger = start_charger(csms.url)
    watcher = ControlClient("127.0.0.1", charger.port)
    watcher.command("subscribe", messages=True)
    charger.wait_boot()
    charger.plug()
    csms.expect("StatusNotification", status="Preparing")
    texts = [event["text"] for event in watcher.events if event["ev"] == "message" and event["direction"] == "out"]
    assert any('"Preparing"' in text for text in texts)
    assert not any(event["ev"] == "message" for event in charger.events)
    watcher.close()


def test_devices_say_what_ails_them(start_charger, csms):
    """What a back-end hears of a meter and of a reader (device command)."""
    charger = start_charger(csms.url, rate=10)
    charger.wait_boot()
    for state, code in (("faulted", "METER FAULTED"), ("timeout", "METER TIMEOUT"), ("incompatible", "METER FAULTED")):
        charger.command("device", name="meter", state=state)
        report = csms.expect("StatusNotification", errorCode="PowerMeterFailure")
        assert report["vendorErrorCode"] == code
        charger.command("device", name="meter", state="ok")
        csms.expect("StatusNotification", connectorId=1, errorCode="NoError")
    for state, code in (("timeout", "TIMEOUT"), ("faulted", "FAULTED"), ("incompatible", "INCOMPATIBLE")):
        charger.command("device", name="reader", state=state)
        report = csms.expect("StatusNotification", errorCode="ReaderFailure")
        assert report["vendorErrorCode"] == "AUTHENTICATOR " + code
        charger.command("device", name="reader", state="ok")
        csms.expect("StatusNotification", connectorId=0, errorCode="NoError")
    charger.command("card", uid="04A1B2C3D4E5F6", held_ms=3_000, flicker=True)
    assert charger.expect("auth")["token"] == "04A1B2C3D4E5F6"
    assert csms.violations == []


def test_a_125_khz_tag_comes_through_its_reader(start_charger, csms):
    charger = start_charger(csms.url, keys={"ReaderModel": "em4100"})
    charger.wait_boot()
    charger.command("card", uid="0400D50A4B", held_ms=500)
    assert charger.expect("auth")["token"] == "0400D50A4B"
    with pytest.raises(CommandFailed, match="10 hexadecimal digits"):
        charger.command("card", uid="04A1B2C3")
    charger.command("log", level="info")
    charger.swipe("0400D50A4C")
    charger.expect("log", text="card 0400D50A4C: refused")  # another one has begun


def test_the_world_stays_as_it_is_while_the_power_is_off(start_charger, csms):
    """A meter that is frozen stays frozen over a power cut, as does whatever else is around the board."""
    charger = start_charger(csms.url, rate=10)
    charger.wait_boot()
    charger.meter(wh=7_000)
    charger.meter(frozen=True)
    charger.meter(wh=9_000)
    charger.command("device", name="reader", state="not_present")
    charger.fault("relay_weld")
    charger.command("contact", aux="closed")
    charger.kill()  # SIGKILL, not a command
    charger.start().wait_boot()
    report = csms.expect("StatusNotification", errorCode="ReaderFailure")
    assert report["vendorErrorCode"] == "AUTHENTICATOR NOT_PRESENT"
    charger.expect("fault", name="contactor_welded")
    assert charger.connector()["wh"] == 9_000
    csms.call("TriggerMessage", requestedMessage="MeterValues", connectorId=1)
    values = csms.expect("MeterValues")["meterValue"][0]["sampledValue"]
    assert [v["value"] for v in values if v.get("measurand", "").endswith("Import.Register")] == ["7000"]


def test_a_brown_out_is_what_the_next_start_reports(charger, csms):
    with pytest.raises(ConnectionError):
        charger.command("power", cause="brown_out")
    assert charger.wait_exit() == -9
    charger.start().wait_boot()
    assert csms.expect("StatusNotification", vendorErrorCode="SUPPLY BROWN_OUT")
    with pytest.raises(ConnectionError):
        charger.command("power", cause="power_on")
    charger.wait_exit()
    charger.start().wait_boot()
    assert "brown_out" not in "".join(charger.state()["log"])


# S5


def test_a_board_in_its_own_time_ignores_the_backend(start_charger):
    """S5: Heartbeats of a central system in real time do not set the clock of a board that runs faster."""
    with CentralSystem(policy=Policy(now=lambda: time.time() - 86_400)) as csms:
        charger = start_charger(csms.url, rate=10)
        charger.wait_boot()
        assert charger.state()["time"] > time.time() - 60
        assert any("back-end's time is ignored" in line for line in charger.state()["log"])
        charger.clock(rate=1)
        csms.call("TriggerMessage", requestedMessage="Heartbeat")
        charger.expect("clock", source="ocpp")
        assert charger.state()["time"] < time.time() - 80_000, "at rate 1 it takes the time again"


def test_a_board_can_be_told_to_keep_its_clock(start_charger):
    with CentralSystem(policy=Policy(now=lambda: time.time() - 86_400)) as csms:
        charger = start_charger(csms.url, config={"sim": {"keep_clock": True}})
        charger.wait_boot()
        assert abs(charger.state()["time"] - time.time()) < 5


# S6


def test_one_charger_for_one_state_directory(shared, tmp_path):
    """S6: two chargers on one state folder."""
    (tmp_path / "config.json").write_text("{}")
    command = [*interpreter(), "tools/sim/run.py", "--config", str(tmp_path / "config.json")]
    command += ["--state", str(shared.state_directory), "--control", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=10, text=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "another charger runs on" in done.stderr
    assert shared.state()["connectors"][0]["cp"] == "A"
