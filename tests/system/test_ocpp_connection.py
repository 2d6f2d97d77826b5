"""The link of the real charger: what can be wrong with network and server, and that it comes back from all of it."""

import threading
import time

import pytest
from waiting import until
from websockets.sync.server import serve

from tools.csms import CentralSystem, Policy
from tools.csms.authority import Authority
from tools.sim import Charger

TAG = "04A1B2C3"


@pytest.fixture
def charger_at():
    """Starts a charger at a URL; ends it with the test."""
    chargers = []

    def start(url, **arguments):
        charger = Charger(url=url, **arguments)
        chargers.append(charger)
        return charger.start()

    yield start
    for charger in chargers:
        charger.close()


def test_a_network_that_goes_takes_the_link_with_it_and_brings_it_back(csms, charger_at):
    # trap 8: and the reconnect is no boot
    charger = charger_at(csms.url)
    charger.wait_boot()
    csms.expect("StatusNotification", connectorId=1, status="Available")
    charger.network(False)
    charger.expect("ws", state="down")
    charger.plug()
    charger.expect("ws", state="down", error="[Errno 113] EHOSTUNREACH")  # it has tried again
    charger.network(True)
    began = time.monotonic()
    csms.wait_connected()
    assert time.monotonic() - began < 3
    csms.expect("StatusNotification", connectorId=1, status="Preparing")
    csms.expect("BootNotification")
    csms.expect_none("BootNotification", within=0.3)
    assert csms.violations == []


@pytest.mark.parametrize("tls", [False, True])
def test_a_network_that_goes_at_any_moment_is_seen_at_once(charger_at, tmp_path, tls):
    # The link may just be reading, writing or waiting: wherever it is, it must not wait for what is no more.
    authority = Authority(tmp_path) if tls else None
    with CentralSystem(ssl=authority.context if authority else None) as csms:
        charger = charger_at(rate=20, **(secured(csms, authority) if tls else {"url": csms.url}))
        charger.wait_boot()
        for number in range(20):
            csms.wait_connected()
            (charger.plug, charger.unplug)[number % 2]()  # something to say
            time.sleep(number / 400)  # another moment each time
            charger.network(False)
            until(lambda: charger.state()["ws"] == "down")
            charger.network(True)
            charger.command("ws", action="connect")


def test_http_errors_are_tried_again(csms, charger_at):
    # trap 7, OCPP-J errata 3.3: 404 is an identity that the server does not know yet
    csms.policy.refuse = 404
    charger = charger_at(csms.url)
    for status in (404, 401, 503):
        csms.policy.refuse = status
        deadline = time.monotonic() + 5
        while str(status) not in str(charger.expect("ws", state="down")["error"]):
            assert time.monotonic() < deadline
    csms.policy.refuse = None
    charger.wait_boot()
    assert csms.violations == []


def test_a_server_without_our_sub_protocol_is_left(charger_at):
    # trap 7, OCPP-J 1.6 §3.2: it agrees to nothing or to something else, and may not even close
    with serve(list, "127.0.0.1", 0, subprotocols=None) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        charger = charger_at("ws://127.0.0.1:%d" % server.socket.getsockname()[1])
        for _ in range(2):
            charger.expect("ws", state="down")
        assert charger.state()["ws"] == "down" and charger.state()["boot"] == "None"
        server.shutdown()


def test_a_server_that_restarts_finds_the_station_again(csms, charger_at):
    charger = charger_at(csms.url)
    charger.wait_boot()
    csms.expect("BootNotification")
    for _ in range(2):
        csms.close_port()
        charger.expect("ws", state="down")
        csms.open_port()
        csms.wait_connected()
    csms.expect_none("BootNotification", within=0.3)
    assert csms.call("GetLocalListVersion") == {"listVersion": 0}
    assert csms.violations == []


def test_a_back_end_that_only_pongs_is_left(csms, charger_at):
    # half-open above the WebSocket: no false "connected"
    csms.policy.silent.update(("Heartbeat", "StatusNotification"))
    keys = {"MessageTimeout": "5", "WebSocketPingInterval": "10"}
    charger = charger_at(csms.url, rate=10, keys=keys)
    charger.expect("ws", state="down", error="calls are not answered", timeout=10)
    csms.policy.silent.clear()
    before = len(csms.calls)
    csms.wait_connected()
    until(lambda: any(m.answered and m.matches({"connectorId": 1}) for m in csms.calls[before:]))


@pytest.mark.parametrize("key", ["0001020304050607080910111213141516", "Sixteen chars pw"])
def test_password_as_hex_and_as_text(charger_at, key):
    # trap 40, OCPP-J 1.6 §6.2.2: hexadecimal digits stand for bytes
    password = bytes.fromhex(key) if key.startswith("00") else key
    with CentralSystem(policy=Policy(password=password)) as csms:
        config = {"ocpp": {"security_profile": 1, "auth_key": key}}
        charger_at(csms.url, config=config).wait_boot()
        with pytest.raises(AssertionError):
            charger_at(csms.url, config={"ocpp": {"auth_key": "A" * 16}}).wait_boot(timeout=0.8)


def secured(csms, authority):
    return {"url": csms.url.replace("127.0.0.1", "localhost"), "config": {"ocpp": {"ca_file": str(authority.ca_file)}}}


def test_wss_with_the_authority_that_was_named(charger_at, tmp_path):
    authority = Authority(tmp_path)
    with CentralSystem(ssl=authority.context) as csms:
        charger = charger_at(**secured(csms, authority))
        charger.wait_boot()
        assert csms.call("GetLocalListVersion") == {"listVersion": 0}
        csms.abort()
        csms.wait_connected()
        assert csms.violations == []


def test_wss_refuses_a_stranger_and_another_name(charger_at, tmp_path):
    # trap 40, white paper A00.FR.308
    (tmp_path / "other").mkdir()
    for certified, trusted in (
        (Authority(tmp_path), Authority(tmp_path / "other")),
        (Authority(tmp_path, "elsewhere.example"), None),
    ):
        with CentralSystem(ssl=certified.context) as csms:
            charger = charger_at(**secured(csms, trusted or certified))
            assert charger.expect("ws", state="down")["error"]
            assert charger.state()["boot"] == "None" and csms.calls == []
            charger.close()


def test_a_long_queue_starves_nobody(csms, charger_at):
    """Hundreds of queued messages are delivered fast; heartbeats, statuses and answers come in between."""
    keys = {"MeterValueSampleInterval": "5", "AllowOfflineTxForUnknownId": "true"}
    charger = charger_at(csms.url, rate=10, keys=keys)
    charger.wait_boot()
    csms.policy.interval = 10
    csms.close_port()
    charger.plug()
    charger.swipe(TAG)
    charger.draw(16)
    charger.wait_state(status="Charging", timeout=10)
    charger.clock(rate=200)
    charger.expect("queue", len=120, timeout=60)
    charger.clock(rate=1)
    csms.policy.latency = 0.02  # a round trip on a good line
    csms.open_port()
    csms.wait_connected()
    deadline = time.monotonic() + 60
    went_first = []  # messages that were delivered between a question and its answer
    charger.swipe(TAG)  # a status in the middle of it
    while charger.state()["queue"] > 20:
        assert time.monotonic() < deadline
        before = len(csms.calls)
        csms.call("GetLocalListVersion")
        went_first.append(len(csms.calls) - before)
    assert max(went_first) <= 3, went_first
    story = [(m.action, m.payload.get("status")) for m in csms.calls]
    finishing = story.index(("StatusNotification", "Finishing"))
    assert ("MeterValues", None) in story[finishing:]  # it did not wait for the end of the queue
    assert csms.violations == [] and csms.ledger.problems == []
