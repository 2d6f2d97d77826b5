"""The central system of the tests, itself tested with the charge point classes of the `ocpp` package and raw frames."""

import asyncio
import base64
import json
import threading

import pytest
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, RegistrationStatus, RemoteStartStopStatus
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tools.csms import CallFailed, CentralSystem
from tools.csms.console import Console
from tools.csms.moments import unix_seconds
from tools.csms.narrator import Narrator

NOW = "2026-11-21T01:02:03Z"
LONG_AGO = "2025-01-01T00:00:00Z"
START = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 100, "timestamp": NOW}
STOP = {"transactionId": 1, "meterStop": 300, "timestamp": "2026-11-21T02:02:03Z", "reason": "Local"}


class Station:
    """A charging station of raw frames."""

    def __init__(self, csms, register=True, **options):
        options.setdefault("subprotocols", ["ocpp1.6"])
        self._connection = connect(csms.url + "/raw1", compression=None, **options)
        self.socket = self._connection.__enter__()
        self._count = 0
        if register:
            assert self.call("BootNotification", chargePointVendor="v", chargePointModel="m")["status"] == "Accepted"

    def call(self, action, **payload):
        self.send(action, payload)
        return json.loads(self.socket.recv(5))[2]

    def send(self, action, payload):
        self._count += 1
        self.socket.send(json.dumps([2, f"id{self._count}", action, payload]))

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._connection.__exit__(*exc_info)


def test_a_session_of_the_ocpp_package_is_free_of_violations(csms):
    class Client(ChargePoint):
        @on(Action.remote_start_transaction)
        def remote_start(self, id_tag, **kwargs):
            return call_result.RemoteStartTransaction(RemoteStartStopStatus.accepted)

    async def session():
        async with connect_async(csms.url + "/client1", subprotocols=["ocpp1.6"]) as socket:
            client = Client("client1", socket)
            reader = asyncio.create_task(client.start())
            boot = await client.call(call.BootNotification(charge_point_model="m", charge_point_vendor="v"))
            assert boot.status == RegistrationStatus.accepted
            start = await client.call(call.StartTransaction(connector_id=1, id_tag="A", meter_start=0, timestamp=NOW))
            await client.call(call.StopTransaction(transaction_id=start.transaction_id, meter_stop=5, timestamp=NOW))
            answer = await asyncio.to_thread(csms.call, "RemoteStartTransaction", idTag="A")
            assert answer == {"status": "Accepted"}
            reader.cancel()

    asyncio.run(session())
    assert csms.violations == []
    assert csms.ledger.transactions[csms.expect("StartTransaction").transaction_id].energy_wh == 5
    assert [m.action for m in csms.calls] == ["BootNotification", "StartTransaction", "StopTransaction"]


@pytest.mark.parametrize(
    "payload, complaint",
    [
        ({**START, "colour": "red"}, "Additional properties"),
        ({**START, "connectorId": "1"}, "not of type 'integer'"),
        ({**START, "idTag": "x" * 21}, "is too long"),
        ({"connectorId": 1}, "required property"),
        ({**START, "timestamp": "2026-11-21T01:02:03"}, "is not a 'date-time'"),
    ],
)
def test_payloads_are_held_to_the_schema(csms, payload, complaint):
    with Station(csms) as station:
        assert station.call("StartTransaction", **payload) == "FormationViolation"
    assert complaint in csms.violations[0]


def test_enumerations_are_closed(csms):
    with Station(csms) as station:
        station.call("StatusNotification", connectorId=1, errorCode="NoError", status="Loading")
    assert "'Loading' is not one of" in csms.violations[0]


def test_what_breaks_the_framing_is_recorded(csms):
    with Station(csms) as station:
        for text in ("{", "[]", '[5,"a"]', '[2,"a","Heartbeat"]', '[3,"unasked",{}]', b"\x00"):
            station.socket.send(text)
        assert station.call("Heartbeat")["currentTime"]
    assert len(csms.violations) == 6


def test_two_calls_at_once_are_a_violation(csms):
    """OCPP-J 1.6 §4.1.1: a CALL may only be sent when the one before has been answered or timed out."""
    with Station(csms) as station:
        station.send("Heartbeat", {})
        station.send("Heartbeat", {})
        station.socket.recv(5)
    assert "before the answer to the previous one" in csms.violations[0]


def test_nothing_may_come_before_the_registration(csms):
    """OCPP 1.6 §4.2."""
    with Station(csms, register=False) as station:
        station.call("Heartbeat")
    assert "not registered" in csms.violations[0]


def test_a_station_without_the_sub_protocol_is_noticed(csms):
    with pytest.raises(InvalidStatus):
        Station(csms, subprotocols=["ocpp2.0.1"])
    assert "does not offer the sub-protocol" in csms.violations[0]


def test_expect_goes_forward_and_tells_what_came_instead(csms):
    with Station(csms) as station:
        for status in ("Available", "Preparing", "Available"):
            station.call("StatusNotification", connectorId=1, errorCode="NoError", status=status)
        csms.expect("StatusNotification", status="Preparing")
        assert csms.expect("StatusNotification", status="Available") is csms.calls[3]
        with pytest.raises(AssertionError, match="Last messages:\n.*Boot"):
            csms.expect("StatusNotification", timeout=0.05, status="Preparing")
        csms.expect_none("Heartbeat", within=0.05)


def test_expect_waits_for_a_message_and_for_its_answer(csms):
    csms.policy.delays["StartTransaction"] = 0.2
    with Station(csms) as station:
        timer = threading.Timer(0.1, station.call, ("StartTransaction",), START)
        timer.start()
        assert csms.expect("StartTransaction", connectorId=lambda n: n > 0, timeout=5).transaction_id == 1
        timer.join()


def test_repeated_messages_are_booked_once(csms):
    with Station(csms) as station:
        for _ in range(2):
            assert station.call("StartTransaction", **START)["transactionId"] == 1
            assert station.call("StopTransaction", **STOP) == {}
    assert len(csms.ledger.repeated) == 2
    assert csms.ledger.transactions[1].energy_wh == 200
    assert csms.ledger.problems == []


@pytest.mark.parametrize(
    "messages, problem",
    [
        ([("StopTransaction", STOP)], "unknown transaction"),
        ([("StartTransaction", START), ("StartTransaction", {**START, "meterStart": 101})], "before 1 had ended"),
        ([("StartTransaction", START), ("StopTransaction", {**STOP, "meterStop": 99})], "ran backwards"),
        ([("StartTransaction", START), ("StopTransaction", {**STOP, "timestamp": LONG_AGO})], "ended before it began"),
        (
            [("StartTransaction", START), ("StopTransaction", STOP), ("StopTransaction", {**STOP, "meterStop": 301})],
            "ended twice",
        ),
    ],
)
def test_books_that_cannot_be_right_are_a_problem(csms, messages, problem):
    with Station(csms) as station:
        for action, payload in messages:
            station.call(action, **payload)
    assert problem in csms.ledger.problems[0]


def test_the_policy_answers_as_told(csms):
    csms.policy.tags["Blocked1"] = {"status": "Blocked"}
    csms.policy.errors["DataTransfer"] = "InternalError"
    csms.policy.answers["Heartbeat"] = lambda message: {"currentTime": 5}
    csms.policy.silent.add("MeterValues")
    with Station(csms) as station:
        assert station.call("Authorize", idTag="BLOCKED1")["idTagInfo"]["status"] == "Blocked"
        assert station.call("DataTransfer", vendorId="v") == "InternalError"
        assert csms.violations == []
        assert station.call("Heartbeat") == {"currentTime": 5}
        assert "is answered wrongly" in csms.violations[0]
        sample = {"timestamp": NOW, "sampledValue": [{"value": "1"}]}
        station.send("MeterValues", {"connectorId": 1, "meterValue": [sample]})
        csms.expect("MeterValues")
        with pytest.raises(TimeoutError):
            station.socket.recv(0.1)
        csms.policy.registration, csms.policy.interval = "Pending", 7
        boot = station.call("BootNotification", chargePointVendor="v", chargePointModel="m")
        assert (boot["status"], boot["interval"]) == ("Pending", 7)


def test_calls_to_a_station(csms):
    with pytest.raises(ConnectionError):
        csms.call("ClearCache")
    with Station(csms), pytest.raises(ValueError, match="required"):
        csms.call("RemoteStopTransaction")

    def answers():
        with Station(csms) as station:
            for reply in ([4, None, "NotSupported", "no", {}], [3, None, {"status": "Maybe"}]):
                reply[1] = json.loads(station.socket.recv(5))[1]
                station.socket.send(json.dumps(reply))
            station.socket.recv(5)
            station.socket.recv(5)  # and the connection goes away without an answer

    thread = threading.Thread(target=answers)
    thread.start()
    csms.expect("BootNotification")
    csms.expect("BootNotification")
    with pytest.raises(CallFailed) as caught:
        csms.call("ClearCache")
    assert caught.value.code == "NotSupported"
    assert csms.call("ClearCache") == {"status": "Maybe"}
    assert "'Maybe' is not one of" in csms.violations[0]
    with pytest.raises(TimeoutError):
        csms.call("ClearCache", timeout=0.05)
    with pytest.raises(ConnectionError):
        csms.call("ClearCache")
    thread.join()


def test_connections_can_be_cut_and_the_port_comes_back(csms):
    port = csms.port
    with Station(csms) as station:
        csms.abort()
        with pytest.raises(ConnectionClosed):
            station.socket.recv(5)
    csms.close_port()
    with pytest.raises(ConnectionRefusedError):
        Station(csms)
    csms.open_port()
    assert csms.port == port
    with Station(csms, register=False) as station:
        csms.wait_connected()
        csms.disconnect(code=1012)
        with pytest.raises(ConnectionClosed) as caught:
            station.socket.recv(5)
        assert caught.value.rcvd.code == 1012


def test_basic_authentication(csms):
    """OCPP-J 1.6 §6.2.2: the user is the charge point's identity."""
    csms.policy.password = b"\x01\x02"
    header = {"Authorization": "Basic " + base64.b64encode(b"raw1:\x01\x02").decode()}
    with Station(csms, additional_headers=header):
        pass
    for wrong in ({}, {"Authorization": "Basic !"}, {"Authorization": "Basic " + base64.b64encode(b"raw1:x").decode()}):
        with pytest.raises(InvalidStatus) as caught:
            Station(csms, additional_headers=wrong)
        assert caught.value.response.status_code == 401


def test_stations_are_told_apart(csms):
    with Station(csms), connect(csms.url + "/other", subprotocols=["ocpp1.6"]):
        while len(csms.connected) < 2:
            csms.wait_connected(station="other")
        with pytest.raises(ValueError, match="which station"):
            csms.call("ClearCache")
        with pytest.raises(ConnectionError):
            csms.call("ClearCache", station="nobody")


def test_narrator_puts_each_frame_on_a_line(csms):
    narrator = Narrator()
    with Station(csms) as station:
        station.call("Heartbeat")
        station.socket.send("garbage")
        station.call("Heartbeat")
    lines = [narrator.line(frame) for frame in csms.frames]
    assert lines[0] == "← BootNotification chargePointVendor=v chargePointModel=m"
    assert lines[3].startswith("→ Heartbeat.conf currentTime=20")
    assert lines[4] == "← 'garbage'"


def test_console_understands_or_explains(csms):
    console = Console(csms)
    assert "no station" in console.run("start")
    assert "no transaction" in console.run("stop")
    assert "try help" in console.run("dance")
    assert "wrong arguments for" in console.run("set OnlyTheKey")
    assert "Expecting" in console.run("call Reset {")
    with Station(csms):
        assert "required" in console.run('call RemoteStopTransaction {"a": 1}')
    assert console.run("") == ""
    assert console.run("quit") is None


def test_moments_need_an_offset():
    assert unix_seconds("1970-01-01T01:00:01.5+01:00") == 1
    for wrong in ("1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "soon"):
        with pytest.raises(ValueError):
            unix_seconds(wrong)


def test_stop_leaves_the_records_readable():
    with CentralSystem() as system, Station(system):
        pass
    assert system.expect("BootNotification", timeout=0)
