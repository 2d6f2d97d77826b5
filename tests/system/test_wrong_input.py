"""Wrong input on every edge of a station: it gets the right answer, nothing stops, and no contactor closes by it."""

import json
import random
import socket
import subprocess
import threading
import time

import pytest
from host import timed
from hostile_line import HostileLine, meter_nonsense, reader_nonsense
from waiting import until
from websocket_peer import frame

from tools.csms import CentralSystem
from tools.sim import Charger, ControlClient, free_port
from tools.sim.charger import ROOT, interpreter

TAG = "04A1B2C3"
REPLY_S = 0.1
RECONNECT_S = 3


class Session:
    """A session that goes on while all this happens."""

    def __init__(self, csms, charger):
        self.csms = csms
        self.charger = charger
        charger.wait_boot()
        charger.plug()
        charger.swipe(TAG)
        self.transaction = csms.expect("StartTransaction").transaction_id
        charger.draw(16)
        charger.wait_state(status="Charging")
        charger.wait_event("relay", on=True)
        self.relays = len(self._relay_events())

    def _relay_events(self):
        return [event for event in self.charger.events if event["ev"] == "relay"]

    def unharmed(self):
        """The link is (again) there, calls are answered, and the session has noticed nothing."""
        deadline = time.monotonic() + RECONNECT_S
        while True:
            try:
                self.csms.wait_connected(RECONNECT_S)
                answer = self.csms.call("GetConfiguration", key=["HeartbeatInterval"], timeout=2)
                break
            except (ConnectionError, TimeoutError):  # the link is just going down
                assert time.monotonic() < deadline, self.charger.output()[-2000:]
        assert answer["configurationKey"][0]["value"]
        snapshot = self.charger.connector()
        assert (snapshot["status"], snapshot["relay"], snapshot["tx"]["id"]) == ("Charging", True, self.transaction)
        assert len(self._relay_events()) == self.relays
        return True


@pytest.fixture(scope="module")
def session():
    with CentralSystem() as csms, Charger(csms.url) as charger:
        yield Session(csms, charger)


# -- the back-end


@pytest.mark.parametrize(
    "name, payload, code",
    [
        ("Nonsense", "{}", "NotImplemented"),
        ("", "{}", "NotImplemented"),
        ("Heartbeat", "{}", "NotImplemented"),
        ("GetConfiguration", "[]", "FormationViolation"),
        ("Reset", '"Soft"', "FormationViolation"),
        ("Reset", "5", "FormationViolation"),
        ("Reset", "null", "OccurenceConstraintViolation"),
        ("Reset", "{}", "OccurenceConstraintViolation"),
        ("Reset", '{"type":"soft"}', "PropertyConstraintViolation"),
        ("Reset", '{"type":"Soft","type":"Bogus"}', "PropertyConstraintViolation"),
        ("ChangeAvailability", '{"connectorId":"1","type":"Inoperative"}', "TypeConstraintViolation"),
        ("ChangeAvailability", '{"connectorId":true,"type":"Inoperative"}', "TypeConstraintViolation"),
        ("ChangeAvailability", '{"connectorId":1.5,"type":"Inoperative"}', "TypeConstraintViolation"),
        ("ChangeAvailability", '{"connectorId":1e999,"type":"Inoperative"}', "PropertyConstraintViolation"),
        ("RemoteStartTransaction", '{"idTag":"' + "x" * 21 + '"}', "PropertyConstraintViolation"),
        ("RemoteStartTransaction", '{"idTag":{"a":[]}}', "TypeConstraintViolation"),
        ("DataTransfer", '{"vendorId":"x","data":' + "[" * 17 + "]" * 17 + "}", "FormationViolation"),
        ("GetConfiguration", '{"key":[' + ",".join(f'"k{i}"' for i in range(6000)) + "]}", None),
        ("DataTransfer", '{"vendorId":[' + "[]," * 20_000 + "0]}", "GenericError"),  # more than the heap holds
    ],
)
def test_wrong_calls_get_the_right_error(session, name, payload, code):
    before = len(session.csms.frames)
    session.csms.send_text(f'[2,"wrong","{name}",{payload}]')

    def find():
        frames = session.csms.frames[before:]
        return [json.loads(f.text) for f in frames if '"wrong"' in f.text and f.text[1] != "2"]

    answers = until(find, 2)
    assert answers[0][:2] == [4, "wrong"] and code in (None, answers[0][2]), answers
    assert session.unharmed()


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", "null", "{}", "[]", "[2]", '[2,null,"Reset",{}]', '[2,5,"Reset",{}]', '["2","a","Reset",{}]',
     "[5,1,2,3]", '[3,"nobody",{}]', '[3]', "[4]", '[4,"nobody","x"]', "[" * 30_000, '{"a":' * 12_000,
     "[" * 20_000 + "]" * 20_000, "\ufeff[]", '[2,"\\ud800"', "x" * 60_000, b"\x00\xff" * 100, b"\x00" * 60_000],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_what_is_no_message_is_ignored(session, text):
    connected = len([e for e in session.charger.events if e["ev"] == "ws"])
    session.csms.send_text(text)
    assert session.unharmed()
    assert len([e for e in session.charger.events if e["ev"] == "ws"]) == connected, "the link stays"


@pytest.mark.parametrize("size", [7_000, 60_000, 1 << 20])
def test_long_messages_one_after_the_other_find_room(session, size):
    """The heap of the simulated charger was so scattered that 60 KB did not fit (found by sending some)."""
    before = len(session.csms.frames)
    for number in range(5):
        session.csms.send_text(f'[2,"{size}-{number}","DataTransfer",{{"vendorId":"x","data":"{"y" * size}"}}]')
        assert session.unharmed()

    def answered():
        return [f.text for f in session.csms.frames[before:] if f.direction == "in" and f'"{size}-' in f.text]

    until(lambda: len(answered()) >= 5, 5, answered)
    answers = answered()
    expected = '"UnknownVendorId"' if size < 65_536 else '"GenericError"'
    assert all(expected in answer for answer in answers)


BROKEN_FRAMES = {
    "reserved bit 1": frame(1, b"[]", rsv=4),
    "reserved bit 3": frame(1, b"[]", rsv=1),
    "reserved opcode": frame(3, b"[]"),
    "reserved control opcode": frame(11, b"[]"),
    "masked": frame(1, b"[]", masked=True),
    "not UTF-8": frame(1, b'["\xff\xfe"]'),
    "fragmented ping": frame(9, b"x", fin=False),
    "continuation of nothing": frame(0, b"x"),
    "half a close code": frame(8, b"\x03"),
    "length of 2**62": frame(1, b"x", length=b"\x7f" + (1 << 62).to_bytes(8, "big")),
    "length not in its shortest form": frame(1, b"x" * 5, length=b"\x7e\x00\x05"),
    "3 MB announced": frame(1, b"x", length=b"\x7f" + (3 << 20).to_bytes(8, "big")),
    "noise": random.Random(1).randbytes(20_000),
}


@pytest.mark.parametrize("name", BROKEN_FRAMES)
def test_broken_frames_end_the_link_and_a_new_one_comes(session, name):
    """RFC 6455 §5, §7.4: such a peer is left; simulator_control: back within 3 s."""

    def downs():
        return len([e for e in session.charger.events if e["ev"] == "ws" and e["state"] == "down"])

    before = downs()
    session.csms.wait_connected()
    try:
        session.csms.send_raw(BROKEN_FRAMES[name])
    except ConnectionError:
        pass  # it left before all was sent
    until(lambda: downs() > before, RECONNECT_S)
    session.csms.wait_connected(RECONNECT_S)
    assert session.unharmed()


@pytest.mark.parametrize("fragments", (1, 128))
def test_one_megabyte_of_nonsense_is_dropped_and_the_link_stays(session, fragments):
    """A message that fits the limit but is no JSON goes to flash, is read, and disturbs nobody."""
    size = (1 << 20) // fragments
    parts = [frame(0 if i else 1, b"x" * size, fin=i == fragments - 1) for i in range(fragments)]
    session.csms.send_raw(b"".join(parts))
    assert session.unharmed()
    assert session.csms.call("GetLocalListVersion", timeout=30)["listVersion"] >= 0


def test_a_call_in_front_of_a_broken_frame_is_answered(session):
    """RFC 6455 §7.1.7 ends the link at the broken frame, not before."""
    session.csms.wait_connected()
    before = len(session.csms.frames)
    session.csms.send_raw(frame(1, b'[2,"good","GetLocalListVersion",{}]') + frame(3, b"broken"))
    until(lambda: any(f.text.startswith('[3,"good"') for f in session.csms.frames[before:]), 2)
    assert session.unharmed()


def test_control_frames_in_masses_are_taken(session):
    session.csms.send_raw(frame(9, b"p" * 125) * 500 + frame(10, b"nobody asked") * 500)
    assert session.unharmed()


# -- the control socket


def test_many_clients_at_once_are_all_answered_in_time(session):
    """simulator_control: several clients at once, each reply within 100 ms."""
    slowest = []

    def talk():
        client = ControlClient("127.0.0.1", session.charger.port)
        for _ in range(40):
            slowest.append(timed(session.charger.process.pid, lambda: client.command("state"))[1])
            time.sleep(0.05)
        client.close()

    threads = [threading.Thread(target=talk) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slowest) == 12 * 40
    slowest.sort()
    assert slowest[len(slowest) * 99 // 100] < REPLY_S
    assert session.unharmed()


def test_clients_that_come_and_go_leave_nothing_behind(session):
    for half in (b"", b'{"id":1,"cmd":"pl', b'{"id":1,"cmd":"state"}\n', b"\xff" * 3000, b"\n" * 500) * 3:
        with socket.create_connection(("127.0.0.1", session.charger.port)) as client:
            client.sendall(half)
    assert session.unharmed()


# -- the serial lines


def test_garbage_on_both_serial_lines_stops_nothing():
    """Minutes of noise: the meter and the reader are reported lost, nobody is authorised, a session is possible."""
    with (
        HostileLine(meter_nonsense) as meter,
        HostileLine(reader_nonsense) as reader,
        CentralSystem() as csms,
        Charger(
            csms.url,
            rate=20,
            config={
                "hw": {"uart": {"meter": meter.path, "rfid": reader.path}},
                "keys": {"MeterLossTimeout": "0"},
            },
        ) as charger,
    ):
        charger.wait_boot()
        charger.plug()
        charger.expect("fault", name="meter_lost", on=True, timeout=5)
        charger.wait_event("status", error="ReaderFailure", timeout=5)
        began = charger.state()["time"]
        while charger.state()["time"] - began < 120:
            assert timed(charger.process.pid, charger.state)[1] < REPLY_S
            time.sleep(0.02)
        assert not [e for e in charger.events if e["ev"] in ("relay", "auth", "tx")]
        assert csms.call("RemoteStartTransaction", idTag=TAG, connectorId=1)["status"] == "Accepted"
        started = csms.expect("StartTransaction")
        charger.draw(16)
        charger.wait_state(status="Charging")
        assert csms.call("RemoteStopTransaction", transactionId=started.transaction_id)["status"] == "Accepted"
        assert csms.expect("StopTransaction")["meterStop"] == started["meterStart"], "nothing was measured"
        assert min(meter.sent, reader.sent) > 10_000
        assert csms.violations == []


# -- the flash


def tamper(image, *arguments):
    command = [*interpreter(), "tests/system/damage.py", str(image), *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


class Scene:
    """A station that has lost its power in its third transaction, while its central system was away."""

    def __init__(self, directory):
        self.csms = CentralSystem()
        self.csms.start()
        keys = {"MeterValueSampleInterval": "2", "JournalBatch": "2", "AllowOfflineTxForUnknownId": "true"}
        self.charger = Charger(self.csms.url, rate=10, directory=directory, keys=keys)
        self.charger.start().wait_boot()
        entries = [{"idTag": f"T{i}", "idTagInfo": {"status": "Accepted"}} for i in range(30)]
        self.csms.call("SendLocalList", listVersion=3, updateType="Full", localAuthorizationList=entries)
        self.csms.call("ChangeConfiguration", key="MeterValueSampleInterval", value="3")
        for _ in range(2):
            self._begin()
            self.charger.unplug()
            self.charger.wait_state(status="Available", tx=None)
            self.delivered()
        self.cut = self._begin()
        self.csms.expect("MeterValues", transactionId=self.cut)
        self.csms.close_port()
        self.charger.kill()
        self.image = self.charger.state_directory / "flash.img"
        self.good = self.image.read_bytes()
        self.files = [line.rpartition(" ")[0] for line in tamper(self.image, "list").splitlines()]
        self.csms.open_port()

    def _begin(self):
        """Charges; returns the transaction's id."""
        self.charger.plug()
        self.charger.swipe(TAG)
        self.charger.wait_state(duty=53.33)
        self.charger.draw(16)
        self.charger.wait_state(status="Charging")
        self.delivered()
        return self.charger.connector()["tx"]["id"]

    def start_with(self, kind, files):
        """Starts the station with these files damaged; returns what it has logged until it was accepted."""
        self.charger.close()
        self.image.write_bytes(self.good)
        for number, file in enumerate(files):
            tamper(self.image, file, kind, str(number + 1))
        logged = len(self.charger.output())
        self.charger.start().wait_boot()
        assert not self.charger.connector()["relay"]
        return self.charger.output()[logged:]

    def charges(self):
        """A whole session is possible."""
        self.delivered()
        number = self._begin()
        self.charger.unplug()
        self.charger.wait_state(status="Available", tx=None)
        self.delivered()
        return [t.stop["reason"] for t in self.csms.ledger.transactions.values() if t.id == number] == [
            "EVDisconnected"
        ]

    def stops(self, before):
        """Returns the StopTransactions after so many CALLs."""
        return [m for m in self.csms.calls[before:] if m.action == "StopTransaction"]

    def delivered(self):
        """Waits until the queue is empty."""
        until(lambda: not self.charger.state()["queue"], 5)

    def close(self):
        self.charger.close()
        self.csms.stop()


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory.mktemp("scene"))
    yield scene
    scene.close()


@pytest.mark.parametrize("kind", ["gone", "empty", "truncate", "garbage", "flip", "tail"])
def test_a_station_with_every_file_damaged_starts_and_charges(scene, kind):
    scene.start_with(kind, scene.files)
    assert scene.charges()
    assert scene.csms.violations == []


def test_damage_to_one_file_costs_no_transaction(scene):
    """What is not damaged is used: the transaction that the power cut is still ended, once."""
    for file in scene.files:
        if "journal/" not in file or file.endswith("reserve"):
            before = len(scene.csms.calls)
            scene.start_with("garbage", [file])
            until(lambda before=before: scene.stops(before), 5, lambda file=file: file)
            scene.delivered()
            reasons = [m["reason"] for m in scene.stops(before) if m["transactionId"] == scene.cut]
            assert reasons == ["PowerLoss"], file


def test_damaged_settings_fall_back_to_the_last_good_copy_and_say_so(scene):
    newest = [file for file in scene.files if file.startswith("/flash/settings")]
    logs = [scene.start_with("garbage", [file]) for file in newest]
    assert all("settings damaged, last good copy used" in log for log in logs)
    log = scene.start_with("garbage", newest)
    assert "settings damaged, starting empty" in log
    answer = scene.csms.call("GetConfiguration", key=["MeterValueSampleInterval"])
    assert answer["configurationKey"][0]["value"] == "2", "as it was delivered"


def test_a_damaged_journal_is_reported(scene):
    journal = [file for file in scene.files if file.startswith("/flash/journal/0")]
    assert "damaged" in scene.start_with("garbage", journal)
    assert scene.charges()


def test_random_blocks_of_the_flash_chip_may_be_bad(scene):
    """LittleFS hides or reports each; at worst the image is refused as a whole, never the station stuck."""
    noise = random.Random(5)
    used = [n for n in range(len(scene.good) // 4096) if scene.good[n * 4096 :][:4096] != b"\xff" * 4096]
    refused = 0
    for _ in range(12):
        scene.charger.close()
        image = bytearray(scene.good)
        start = noise.choice(used) * 4096
        image[start : start + 4096] = noise.choice((bytes(4096), b"\xff" * 4096, noise.randbytes(4096)))
        scene.image.write_bytes(image)
        try:
            scene.charger.start().wait_boot()
        except RuntimeError as exc:
            assert "damaged" in str(exc)
            refused += 1
            continue
        scene.charger.plug()
        scene.charger.swipe(TAG)
        scene.charger.wait_state(duty=53.33)
    assert refused <= 2


# -- the configuration file

FULL = {
    "ocpp": {
        "version": "1.6", "id": "cp", "url": "ws://127.0.0.1:9", "security_profile": 0, "auth_key": "AABBCCDDEEFFGGHH",
        "ca_file": "ca.pem", "client_cert": "a.pem", "client_key": "a.key", "verify_hostname": True,
        "reconnect": {"min_s": 1, "max_s": 3, "jitter_s": 0}, "call_timeout_s": 10,
    },
    "identity": {"vendor": "v", "model": "m", "serial": "s", "firmware": "1"},
    "hw": {"connectors": 1, "cable": "socket", "max_a": 32, "phases": 3, "uart": {"meter": "tty", "rfid": "tty"}},
    "keys": {"HeartbeatInterval": "60"},
    "portal": {"port": 8080},
    "sim": {"control": "127.0.0.1:1", "meter_wh": 0, "time_rate": 1, "flash_kib": 2048},
}  # fmt: skip


def fields(config, path=()):
    """Yields the path of each field and section."""
    for name, value in config.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from fields(value, (*path, name))


def refusal(tmp_path, text):
    """Returns what the simulator says to a configuration that it must refuse."""
    path = tmp_path / "config.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    command = [*interpreter(), "tools/sim/run.py", "--config", str(path), "--state", str(tmp_path / "state")]
    command += ["--control", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done
    assert not (tmp_path / "state").exists() or "hw.uart" in done.stderr
    return done.stderr


@pytest.mark.parametrize("path", list(fields(FULL)), ids=".".join)
def test_each_field_of_the_wrong_type_is_named(tmp_path, path):
    config = json.loads(json.dumps(FULL))
    section = config
    for name in path[:-1]:
        section = section[name]
    section[path[-1]] = [1, {"a": None}]
    assert ".".join(path) in refusal(tmp_path, json.dumps(config))


@pytest.mark.parametrize(
    "text, words",
    [
        (b"\xff\xfe{}", "UTF-8"), ("", "not JSON"), ("{}x", "not JSON"), ("[" * 60_000, "not JSON"),
        ("x" * 3_000_000, "more than 65536"), ('{"hw":{"uart":{"meter":"/no/such/tty"}}}', "/no/such/tty"),
        ('{"hw":{"uart":{"rfid":"/dev/null"}}}', "/dev/null"), ('{"sim":{"time_rate":1e9}}', "time_rate"),
        ('{"hw":{"max_a":true}}', "hw.max_a"), ('{"ocpp":{"id":""}}', "ocpp.id"),
    ],
    ids=lambda value: repr(value[:20]),
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_explained(tmp_path, text, words):
    assert words in refusal(tmp_path, text)
