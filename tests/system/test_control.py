"""The control socket of the simulated charger (docs/simulator.md): commands, events, exit codes, power cuts."""

import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import tty

import pytest
from host import timed

from tools.sim import Charger, CommandFailed, ControlClient, free_port
from tools.sim.charger import ROOT, interpreter
from tools.sim.world.meter_emulator import MeterBus, crc16
from tools.sim.world.world import UART_METER, World

REPLY_S = 0.1  # within which every command is answered


@pytest.fixture(scope="module")
def shared():
    """A charger whose central system is not there, for tests that leave it as it was."""
    with Charger() as charger:
        charger.expect("ws", state="down")  # the firmware runs
        yield charger


class Raw:
    """A connection without any help."""

    def __init__(self, charger):
        self.socket = socket.create_connection(("127.0.0.1", charger.port), timeout=5)
        self.lines = self.socket.makefile("r")

    def ask(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())
        return json.loads(self.lines.readline())


def connect(port):
    """Returns a client of a charger that is just starting; it has five seconds to answer."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return ControlClient("127.0.0.1", port)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_hello(shared):
    reply = shared.command("hello")
    assert reply["proto"] == 1 and reply["connectors"] == 1
    assert reply["pid"] == shared.process.pid
    assert reply["fw"]


def test_state_has_every_field(shared):
    state = shared.state()
    assert {"boot", "ws", "queue", "time", "heap_free", "connectors"} <= set(state)
    fields = "status cp cable_a duty amps relay phases lock tx wh faults"
    assert set(fields.split()) <= set(state["connectors"][0])
    assert abs(state["time"] - time.time()) <= 2
    assert state["connectors"][0]["status"] == "Available" and state["connectors"][0]["duty"] == 100


def test_subscribe_carries_the_snapshot(shared):
    client = ControlClient("127.0.0.1", shared.port)
    assert client.command("subscribe")["state"]["connectors"][0]["cp"] == "A"
    client.close()


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "7", "null", '"plug"', "{}", '{"id":1}', '{"id":1,"cmd":7}', '{"id":1,"cmd":"fly"}',
        '{"id":{"a":1},"cmd":"state"}', b"\xff\xfe\x00", '{"id":1,"cmd":"plug","cable_a":"32"}',
        '{"id":1,"cmd":"plug","cable_a":5}', '{"id":1,"cmd":"plug","connector":2}',
        '{"id":1,"cmd":"plug","connector":true}', '{"id":1,"cmd":"cp"}', '{"id":1,"cmd":"cp","state":"G"}',
        '{"id":1,"cmd":"cp","state":{"volts":"9"}}', '{"id":1,"cmd":"cp","state":["B"]}',
        '{"id":1,"cmd":"load"}', '{"id":1,"cmd":"load","amps":[1,2]}', '{"id":1,"cmd":"load","amps":-1}',
        '{"id":1,"cmd":"load","amps":1,"phases":4}', '{"id":1,"cmd":"load","amps":1,"phases":1.5}',
        '{"id":1,"cmd":"meter","add_wh":-1000000000}', '{"id":1,"cmd":"meter","add_wh":99999999999999999999}',
        '{"id":1,"cmd":"fault","name":"other","vendor_code":"' + "V" * 51 + '"}',
        '{"id":1,"cmd":"auth_cache","token":"","status":"Accepted"}',
        '{"id":1,"cmd":"auth_cache","token":"' + "A" * 21 + '","status":"Accepted"}',
        '{"id":1,"cmd":"auth_cache","token":"A","status":"Accepted","parent":"' + "P" * 21 + '"}',
        '{"id":1,"cmd":"meter","wh":-1}', '{"id":1,"cmd":"meter","wh":1.5}', '{"id":1,"cmd":"meter","fail":1}',
        '{"id":1,"cmd":"rfid"}', '{"id":1,"cmd":"rfid","token":""}', '{"id":1,"cmd":"rfid","token":5}',
        '{"id":1,"cmd":"rfid","token":"123456789012345678901"}', '{"id":1,"cmd":"rfid","token":"A","connectors":[9]}',
        '{"id":1,"cmd":"button","name":"go"}', '{"id":1,"cmd":"fault","name":"none"}',
        '{"id":1,"cmd":"fault","name":"rcd","on":"yes"}', '{"id":1,"cmd":"ws","action":"fly"}',
        '{"id":1,"cmd":"net"}', '{"id":1,"cmd":"clock","rate":0}', '{"id":1,"cmd":"clock","rate":"2"}',
        '{"id":1,"cmd":"clock","unix":5}', '{"id":1,"cmd":"set_key","key":"HeartbeatInterval"}',
        '{"id":1,"cmd":"set_key","key":"Nonsense","value":"1"}',
        '{"id":1,"cmd":"set_key","key":"NumberOfConnectors","value":"7"}',
        '{"id":1,"cmd":"set_key","key":"HeartbeatInterval","value":"often"}',
        '{"id":1,"cmd":"auth_cache","token":"A","status":"Fine"}',
        '{"id":1,"cmd":"auth_cache","token":"A","status":"Accepted","expiry":"tomorrow"}',
        '{"id":1,"cmd":"cut","at":"later"}', '{"id":1,"cmd":"cut","at":-1}', '{"id":1,"cmd":"log","level":"loud"}',
    ],
)  # fmt: skip
def test_wrong_requests_are_refused_and_harm_nothing(shared, line):
    raw = Raw(shared)
    reply, took = timed(shared.process.pid, lambda: raw.ask(line + (b"\n" if isinstance(line, bytes) else "\n")))
    assert took < REPLY_S
    assert reply["ok"] is False and reply["error"]
    assert raw.ask('{"id": "next", "cmd": "state"}\n')["id"] == "next"
    assert shared.connector()["cp"] == "A"


def test_a_line_that_is_too_long_is_refused_and_skipped(shared):
    raw = Raw(shared)
    assert raw.ask(b'{"id":1,"cmd":"' + b"x" * 20_000)["error"] == "line too long"
    assert raw.ask(b"y" * (1 << 20) + b'"}\n{"id":2,"cmd":"hello"}\n')["id"] == 2


def test_requests_may_come_in_pieces_and_together(shared):
    raw = Raw(shared)
    raw.socket.sendall(b'{"id":1,"cm')
    time.sleep(0.02)
    assert raw.ask('d":"hello"}\n{"id":2,"cmd":"state"}\r\n\n{"id":3,"cmd":"hello"}\n')["id"] == 1
    assert [json.loads(raw.lines.readline())["id"] for _ in range(2)] == [2, 3]


def test_a_client_that_does_not_read_is_dropped_and_holds_nobody(shared):
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", shared.port))
    slow.settimeout(1)
    try:
        for _ in range(20_000):
            slow.sendall(b'{"id":1,"cmd":"state"}\n')
    except OSError:
        pass  # dropped, or no longer listened to
    for _ in range(20):
        assert timed(shared.process.pid, shared.state)[1] < REPLY_S
    slow.close()


def test_events_go_to_subscribers_only(shared):
    silent = Raw(shared)
    watcher = ControlClient("127.0.0.1", shared.port)
    watcher.command("subscribe")
    shared.cp("B")
    shared.cp("A")
    assert watcher.wait_for(lambda: watcher.events or None, 1)
    assert silent.ask('{"id":9,"cmd":"hello"}\n')["id"] == 9
    watcher.close()


def test_vehicle_states_reach_the_pilot(shared):
    volts = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 2.9, "E": 0.0}
    try:
        for state in ("B", "C", "D", "E", "A"):
            shared.cp(state)
            assert shared.connector()["cp"] == state
            assert shared.expect("pilot", volts=volts[state], timeout=0.2)
        shared.cp({"volts": 8.8, "diode": False})
        assert shared.expect("pilot", volts=8.8, timeout=0.2)
    finally:
        shared.cp("A")


def test_meter_register_can_be_set_and_added_to(shared):
    assert shared.meter(wh=123_456) == 123_456
    assert shared.meter(add_wh=44) == 123_500
    assert shared.connector()["wh"] == 123_500


def test_rate_of_time_can_be_changed(shared):
    shared.clock(rate=20)
    began, real = shared.state()["time"], time.monotonic()
    time.sleep(0.5)  # what is measured
    passed, real = shared.state()["time"] - began, time.monotonic() - real
    shared.clock(rate=1)
    assert abs(passed - 20 * real) <= 3


def test_plug_is_preparing_within_a_second(charger):
    charger.plug(20)
    assert charger.expect("status", status="Preparing", timeout=1)["connector"] == 1
    assert charger.connector()["cable_a"] == 20
    charger.unplug()
    charger.expect("status", status="Available", timeout=1)
    assert charger.connector()["cable_a"] is None


def test_a_session_with_a_card_at_the_reader(charger, csms):
    charger.plug()
    charger.swipe("04A1B2C3")
    auth = charger.expect("auth")
    assert (auth["token"], auth["result"], auth["source"]) == ("04A1B2C3", "Accepted", "csms")
    pilot = charger.expect("pilot", duty=53.33, timeout=2)
    assert pilot["t"] - auth["t"] < 1000
    started = charger.expect("tx", event="start")
    assert started["tag"] == "04A1B2C3" and started["id"] is None
    charger.draw(16)
    assert charger.expect("relay", on=True)["phases"] == 3
    charger.expect("status", status="Charging")
    running = charger.wait_state(drawn_a=[16.0, 16.0, 16.0])["tx"]
    assert running["tag"] == "04A1B2C3" and running["number"] == started["number"]
    assert running["id"] == csms.expect("StartTransaction").transaction_id
    charger.unplug()
    opened = charger.expect("relay", on=False)
    unplugged = [event for event in charger.events if event["ev"] == "pilot" and event["volts"] == 12.0][-2:]
    assert 0 <= opened["t"] - unplugged[0]["t"] <= 100
    assert charger.expect("tx", event="stop")["reason"] == "EVDisconnected"
    assert csms.expect("StopTransaction")
    assert not csms.violations


@pytest.mark.parametrize("token", ["lower-case tag", "04a1b2c3", "08A1B2C3", "ÄÖ"])
def test_tokens_that_no_card_can_show_are_taken_verbatim(charger, token):
    charger.swipe(token)
    assert charger.expect("auth")["token"] == token


@pytest.mark.parametrize("uid", ["04112233445566", "04112233445566778899"])
def test_long_card_ids_come_through_the_reader(charger, uid):
    charger.swipe(uid)
    assert charger.expect("auth")["token"] == uid


def test_the_network_goes_down_and_comes_back(charger):
    charger.network(False)
    charger.expect("ws", state="down")
    charger.expect("ws", state="down", error="[Errno 113] EHOSTUNREACH")  # it has tried again
    assert charger.state()["ws"] == "down"
    charger.network(True)
    charger.expect("ws", state="up", timeout=4)


def test_the_socket_can_be_dropped_and_reconnected(charger):
    charger.expect("ws", state="up")
    charger.command("ws", action="close")
    charger.expect("ws", state="down", timeout=1)
    charger.command("ws", action="connect")
    charger.expect("ws", state="up", timeout=3)


def test_set_key_changes_a_setting(charger, csms):
    charger.set_key("MeterValueSampleInterval", "17")
    answer = csms.call("GetConfiguration", key=["MeterValueSampleInterval"])
    assert answer["configurationKey"][0]["value"] == "17"


def test_auth_cache_can_be_preloaded(charger, csms):
    charger.command("auth_cache", token="CACHED", status="Accepted", expiry="2099-01-01T00:00:00Z")
    charger.network(False)
    charger.expect("ws", state="down")
    charger.swipe("CACHED")
    assert charger.expect("auth")["source"] == "cache"


def test_the_clock_can_be_set_and_lost(charger):
    charger.clock(unix=1_900_000_000)
    assert charger.expect("clock")["unix"] == 1_900_000_000
    assert 0 <= charger.state()["time"] - 1_900_000_000 <= 2
    charger.restart()
    assert 0 <= charger.state()["time"] - 1_900_000_000 <= 10
    charger.clock(lost=True)
    charger.restart()
    charger.wait_boot()
    assert abs(charger.state()["time"] - time.time()) <= 2, "the central system has told it"


@pytest.mark.parametrize(
    "fault, name, error",
    [
        ("rcd", "rcd_tripped", "GroundFailure"),
        ("relay_weld", "contactor_welded", "PowerSwitchFailure"),
        ("overtemp", "overtemperature", "HighTemperature"),
        ("lock_fail", "lock_failed", "ConnectorLockFailure"),
        ("cp_short", "cp_short", "OtherError"),
        ("overvoltage", "overvoltage", "OverVoltage"),
        ("undervoltage", "undervoltage", "UnderVoltage"),
        ("meter_fail", "meter_lost", "PowerMeterFailure"),
    ],
)
def test_physical_faults_are_found_by_the_firmware(start_charger, fault, name, error):
    charger = start_charger(rate=10)
    charger.expect("ws", state="down")
    if fault == "lock_fail":
        charger.fault(fault)
    charger.plug()
    if fault != "lock_fail":
        charger.fault(fault)
    charger.expect("fault", name=name, on=True, timeout=10)
    charger.wait_event("status", error=error)
    assert name in charger.connector()["faults"]
    charger.fault(fault, False)
    charger.unplug()
    if fault == "overtemp":
        charger.clock(rate=200)  # what was too hot stays off for ten minutes
    charger.expect("fault", name=name, on=False, timeout=10)


def test_a_dead_reader_is_noticed_and_comes_back(charger):
    charger.clock(rate=10)
    charger.fault("reader_fail")
    charger.expect("status", error="ReaderFailure", timeout=10)
    charger.fault("reader_fail", False)
    charger.expect("status", error="NoError", timeout=10)
    charger.swipe("04A1B2C3")
    charger.expect("auth", token="04A1B2C3")


def test_a_fault_of_the_vendor_carries_its_code(charger, csms):
    charger.fault("other", vendor_code="X17")
    charger.expect("fault", name="other", on=True)
    assert csms.expect("StatusNotification", status="Faulted")["vendorErrorCode"] == "X17"
    charger.fault("other", False)
    charger.expect("fault", name="other", on=False)


# -- life and death


def test_exit_codes(charger, csms):
    charger.command("reset")
    assert charger.wait_exit() == 66
    for kind, code in (("Soft", 64), ("Hard", 65)):
        charger.start().wait_boot()
        assert csms.call("Reset", type=kind)["status"] == "Accepted"
        assert charger.wait_exit() == code
        assert charger.expect("reset", kind=kind.lower()) and charger.expect("exit", code=code)
    charger.start()
    assert charger.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_an_orderly_stop_in_the_middle_of_a_session(charger, csms, number):
    charger.plug()
    charger.swipe("04A1B2C3")
    charger.draw(16)
    charger.expect("relay", on=True)
    charger.process.send_signal(number)
    assert charger.wait_exit(2) == 0
    assert charger.expect("relay", on=False)
    assert charger.events[-1]["ev"] == "exit" and charger.events[-1]["code"] == 0
    charger.start()
    assert csms.expect("StopTransaction").payload["reason"] == "PowerLoss"
    assert csms.violations == []


def test_the_wrapper_stops_in_order_on_sigterm(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"ocpp": {"id": "w", "url": f"ws://127.0.0.1:{free_port()}"}}))
    port = free_port()
    command = [sys.executable, "-m", "tools.sim", "run", "--config", str(config)]
    command += ["--state", str(tmp_path / "state"), "--control", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT)
    client = connect(port)
    client.command("subscribe")
    process.terminate()
    assert process.wait(5) == 0
    client.close()
    assert client.events[-1]["ev"] == "exit"


@pytest.mark.parametrize("at", ["now", "next_flash_write", 1, 150])
def test_power_cuts_are_survived(charger, csms, at):
    charger.plug()
    if at != "now":
        charger.cut(at)
        charger.swipe("04A1B2C3")
        charger.wait_exit()
    else:
        assert charger.cut() == -signal.SIGKILL
    charger.start().wait_boot()
    assert charger.connector()["cp"] == "A", "the vehicle is not there any more"
    assert charger.connector()["status"] == "Available"


def test_a_vehicle_can_stay_while_the_power_is_off(start_charger):
    charger = start_charger(config={"sim": {"keep_vehicle": True}})
    charger.plug(20)
    charger.draw(10)
    charger.cut()
    charger.start()
    connector = charger.wait_state(status="Preparing")
    assert (connector["cp"], connector["cable_a"]) == ("C", 20)


def test_meter_register_survives_and_never_falls(charger):
    charger.meter(wh=5_000)
    charger.cut()
    charger.config["sim"]["meter_wh"] = 1_000
    charger.start()
    assert charger.connector()["wh"] == 5_000
    charger.kill()
    charger.config["sim"]["meter_wh"] = 9_000
    charger.start()
    assert charger.connector()["wh"] == 9_000


def test_delivered_keys_are_taken_once_and_verbatim(start_charger, csms):
    charger = start_charger(csms.url, keys={"HeartbeatInterval": "4711", "NumberOfConnectors": "5"})
    charger.wait_boot()
    reply = csms.call("GetConfiguration", key=["NumberOfConnectors"])
    assert reply["configurationKey"][0]["value"] == "5"
    charger.config["keys"] = {"NumberOfConnectors": "6"}
    charger.restart().wait_boot()
    reply = csms.call("GetConfiguration", key=["NumberOfConnectors"])
    assert reply["configurationKey"][0]["value"] == "5"


@pytest.mark.parametrize(
    "config, words",
    [
        ("{", "not JSON"), ("[]", "wrong type"), ('{"hw": {"connectors": 3}}', "hw.connectors"),
        ('{"hw": {"cable": "rope"}}', "hw.cable"), ('{"ocpp": {"url": "http://x"}}', "ocpp.url"),
        ('{"keys": {"A": 1}}', "keys.A"), ('{"sim": {"time_rate": 0}}', "time_rate"),
        ('{"ocpp": {"reconnect": {"min_s": "1"}}}', "reconnect.min_s"), (None, "cannot read"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_explained(tmp_path, config, words):
    path = tmp_path / "config.json"
    if config is not None:
        path.write_text(config)
    command = [*interpreter(), "tools/sim/run.py", "--config", str(path), "--state", str(tmp_path / "s")]
    done = subprocess.run(
        command + ["--control", f"127.0.0.1:{free_port()}"], cwd=ROOT, capture_output=True, timeout=10
    )
    assert done.returncode == 2
    assert words in done.stderr.decode() and b"Traceback" not in done.stderr


def test_a_damaged_flash_image_is_explained(charger):
    charger.kill()
    (charger.state_directory / "flash.img").write_bytes(b"garbage" * 1000)
    with pytest.raises(RuntimeError, match="flash"):
        charger.start()


def test_firmware_that_cannot_start_leaves_the_hardware_to_be_asked(tmp_path):
    for part in ("firmware", "lib", "tools"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "firmware" / "app.py").write_text("raise RuntimeError('no firmware today')\n")
    (tmp_path / "config.json").write_text("{}")
    port = free_port()
    command = [*interpreter(), "tools/sim/run.py", "--config", "config.json", "--state", "state"]
    process = subprocess.Popen(
        command + ["--control", f"127.0.0.1:{port}"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    client = connect(port)
    state = client.command("subscribe")["state"]
    assert (state["boot"], state["ws"], state["connectors"][0]["status"]) == ("None", "down", None)
    client.command("plug")
    assert client.command("state")["connectors"][0]["cable_a"] == 32
    with pytest.raises(CommandFailed, match="is not running"):
        client.command("set_key", key="HeartbeatInterval", value="5")
    client.command("exit")
    assert process.wait(5) == 0
    assert "no firmware today" in process.stderr.read()
    client.close()
    process.stderr.close()


# -- devices on ttys of the host


class Tty:
    """The far end of a pty that the charger takes for its UART."""

    def __init__(self):
        self.end, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave

    def read(self, timeout=0.05):
        return os.read(self.end, 4096) if select.select([self.end], [], [], timeout)[0] else b""

    def write(self, data):
        os.write(self.end, data)

    def close(self):
        os.close(self._slave)
        os.close(self.end)


def test_a_meter_on_a_tty(start_charger):
    line = Tty()
    charger = start_charger(config={"hw": {"uart": {"meter": line.path}}})
    world = World(lambda: 0, lambda *event: None)
    world.outlets[0].register.wh = 77_000
    server = MeterBus(world.lines[UART_METER], world.timeline, world.outlets)
    answered = 0
    deadline = time.monotonic() + 10
    while answered < 4 and time.monotonic() < deadline:
        frame = line.read()
        while frame and crc16(frame):
            more = line.read()
            if not more:
                break
            frame += more
        answer = server.answer(frame)
        if answer:
            line.write(b"\x00" * (answered % 2) + answer[:5])
            line.write(answer[5:])
            answered += 1
    assert answered == 4
    assert charger.connector()["faults"] == []


def test_a_reader_on_a_tty_that_talks_nonsense(start_charger):
    line = Tty()
    charger = start_charger(config={"hw": {"uart": {"rfid": line.path}}})
    for number in range(50):
        line.write(os.urandom(100) + struct.pack(">H", number))
        line.read(0.01)
    assert charger.state()["connectors"][0]["status"] == "Available"
    with pytest.raises(CommandFailed):
        charger.fault("reader_fail")


def test_a_tty_that_is_gone_is_a_lost_meter(start_charger):
    line = Tty()
    charger = start_charger(config={"hw": {"uart": {"meter": line.path}}}, rate=5)
    charger.expect("ws", state="down")
    line.close()
    charger.expect("fault", name="meter_lost", on=True)
    assert charger.running


def test_one_shot_command_line(charger):
    command = [sys.executable, "-m", "tools.sim", "ctl", f"127.0.0.1:{charger.port}"]
    done = subprocess.run(command + ["plug", "20"], cwd=ROOT, capture_output=True, timeout=10)
    assert done.returncode == 0 and json.loads(done.stdout)["ok"]
    assert charger.connector()["cable_a"] == 20
    done = subprocess.run(command + ["plug", "21"], cwd=ROOT, capture_output=True, timeout=10)
    assert done.returncode == 1 and b"cable_a" in done.stderr
