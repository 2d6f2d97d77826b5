"""The link to the back-end: address, credentials, waits between attempts, supervision (OCPP-J 1.6 §3, §5.3, §6.2)."""

import asyncio
import json
from binascii import a2b_base64

from harness import FakeClock, settle

from firmware.kernel.log import Log
from firmware.ocpp.connection import Connection
from firmware.ocpp.errors import LinkDown, RpcTimeout
from firmware.ocpp.spool import NoSpool
from firmware.ocpp.target import Opener, authorization, connection_url
from firmware.ocpp.v16.rules import Rules
from firmware.store.registry import SETTINGS


class Values:
    """Settings without a store."""

    def __init__(self, **changes):
        self.values = {
            "CentralSystemUrl": "ws://host/ocpp",
            "ChargePointId": "CP 1",
            "AuthorizationKey": "",
            "SecurityProfile": 0,
            "CentralSystemCaFile": "",
            "ReconnectMin": 1,
            "ReconnectMax": 10,
            "ReconnectJitter": 0,
            "WebSocketPingInterval": 0,
            "MessageTimeout": 20,
        }
        self.values.update(changes)

    def get(self, name):
        return self.values[name]


class FakeSocket:
    """A WebSocket whose other side is the test."""

    def __init__(self, clock, subprotocol="ocpp1.6"):
        self.subprotocol = subprotocol
        self.sent = []
        self.pings = 0
        self.answers_pings = True
        self.reads = asyncio.Event()  # cleared: what is sent does not leave
        self.reads.set()
        self.send_error = None
        self.closed_with = None
        self.close_code, self.close_reason = None, ""
        self._clock = clock
        self._heard_ms = clock.ms()
        self._begun_ms = None
        self._inbox = []
        self._news = asyncio.Event()

    def silence_ms(self):
        return self._clock.ms() - self._heard_ms

    def put(self, message):
        """The other side sends a message, None for a Close frame, or an exception for a broken link."""
        self._heard_ms = self._clock.ms()
        self._inbox.append(message)
        self._news.set()

    async def recv(self):
        while not self._inbox:
            self._news.clear()
            await self._news.wait()
        message = self._inbox.pop(0)
        if isinstance(message, Exception):
            raise message
        return message

    def blocked_ms(self):
        return 0 if self._begun_ms is None else self._clock.ms() - self._begun_ms

    async def send(self, text):
        self._begun_ms = self._clock.ms()
        try:
            await self.reads.wait()
        finally:
            self._begun_ms = None
        if self.send_error:
            raise self.send_error
        self.sent.append(json.loads(text))

    async def send_pieces(self, size, pieces):
        await self.send("".join(pieces))

    async def ping(self, data=b""):
        self.pings += 1
        if self.answers_pings:
            self._heard_ms = self._clock.ms()

    async def close(self, code=1000, reason=""):
        if self.closed_with is None:
            self.closed_with = code
            self.put(None)


class Bench:
    """A Connection whose attempts end as `plan` says: arguments of a FakeSocket, or an exception. Then all succeed."""

    def __init__(self, *plan, **settings):
        self.clock = FakeClock()
        self.settings = Values(**settings)
        self.log = Log(self.clock)
        self.plan = list(plan)
        self.attempts = []  # (ms, url, keyword arguments)
        self.events = []
        self.sockets = []
        self.handle = lambda action, payload: {"status": "Accepted"}
        opener = Opener(self.settings, NoSpool(), connect=self._connect)
        self.link = Connection(self.settings, self.clock, self.log, (Rules(),), opener)
        self.link.serve(self._handle, lambda: False)
        self.link.link_changed.connect(lambda state, url, error: self.events.append((state, error)))

    def _handle(self, action, payload):
        return self.handle(action, payload)

    async def _connect(self, url, **arguments):
        self.attempts.append((self.clock.ms(), url, arguments))
        outcome = self.plan.pop(0) if self.plan else {}
        if isinstance(outcome, Exception):
            raise outcome
        self.sockets.append(FakeSocket(self.clock, **outcome))
        return self.sockets[-1]

    async def __aenter__(self):
        self.task = asyncio.create_task(self.link.run(lambda: None))
        await settle()
        return self

    async def __aexit__(self, *exc):
        self.task.cancel()
        try:
            await self.task
        except asyncio.CancelledError:
            pass

    def times(self):
        return [ms for ms, _, _ in self.attempts]


# -- address and credentials


def test_url_is_endpoint_and_identity():
    # trap 7
    assert connection_url("ws://host/ocpp", "RDAM 123") == "ws://host/ocpp/RDAM%20123"
    assert connection_url("ws://host", "CP/1") == "ws://host/CP%2F1"
    assert connection_url("ws://host/ocpp/", "CP1") == "ws://host/ocpp/CP1"
    assert connection_url("wss://host/ocpp?tenant=1", "CP1") == "wss://host/ocpp/CP1?tenant=1"


def credentials(identity, key):
    scheme, _, text = authorization(identity, key)["Authorization"].partition(" ")
    assert scheme == "Basic"
    return a2b_base64(text)


def test_hex_key_is_decoded():
    # The example of OCPP-J 1.6 §6.2.2, whose bytes are no text.
    header = authorization("AL1000", "0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF")
    assert header == {"Authorization": "Basic QUwxMDAwOgABAgMEBQYH////////////////"}
    assert credentials("CP1", "aB" * 16) == b"CP1:" + b"\xab" * 16


def test_other_keys_are_passwords():
    for key in ("AABBCCDDEEFFGGHH", "0123456789ABCDEF", "0" * 33, "0" * 42, "g" * 32, "secret"):
        assert credentials("CP1", key) == b"CP1:" + key.encode()
    assert authorization("CP1", "") is None


# -- connecting


async def test_connects_and_says_so():
    async with Bench(AuthorizationKey="password") as bench:
        _, url, arguments = bench.attempts[0]
        assert url == "ws://host/ocpp/CP%201" and arguments["subprotocols"] == ("ocpp1.6",)
        assert arguments["headers"] == authorization("CP 1", "password") and arguments["ssl"] is None
        assert bench.events == [("up", None)]
        assert bench.link.connected and bench.link.url == url


async def test_messages_pass_both_ways():
    async with Bench() as bench:
        bench.sockets[0].put(b"\x00binary")  # ignored
        bench.sockets[0].put('[2,"1","Reset",{"type":"Soft"}]')
        await settle()
        assert bench.sockets[0].sent == [[3, "1", {"status": "Accepted"}]]


async def test_waits_double_up_to_the_maximum():
    errors = [OSError("refused")] * 6
    async with Bench(*errors) as bench:
        await bench.clock.run_for(60_000)
        assert bench.times() == [0, 1_000, 3_000, 7_000, 15_000, 25_000, 35_000]
        assert bench.events[:2] == [("down", "refused")] * 2 and bench.events[-1] == ("up", None)


async def test_jitter_is_added():
    errors = [OSError("refused")] * 20
    async with Bench(*errors, ReconnectMax=1, ReconnectJitter=4) as bench:
        await bench.clock.run_for(200_000)
        waits = [b - a for a, b in zip(bench.times(), bench.times()[1:])]
        assert all(1_000 <= wait < 5_000 for wait in waits) and len(set(waits)) > 3


async def test_settings_are_read_at_each_attempt():
    async with Bench(OSError("refused")) as bench:
        bench.settings.values["CentralSystemUrl"] = "ws://other"
        await bench.clock.run_for(1_000)
        assert bench.attempts[1][1] == "ws://other/CP%201"


async def test_no_attempt_without_an_address():
    async with Bench(CentralSystemUrl="") as bench:
        await bench.clock.run_for(60_000)
        assert bench.attempts == [] and bench.events == []
        bench.settings.values["CentralSystemUrl"] = "ws://host"
        bench.link.reconnect()
        await settle()
        assert bench.link.connected


async def test_errors_that_no_retry_can_mend_are_reported_too():
    async with Bench(ValueError("bad port in URL")) as bench:
        assert bench.events == [("down", "bad port in URL")]
        await bench.clock.run_for(1_000)
        assert bench.link.connected


async def test_wrong_subprotocol_is_closed():
    # trap 7
    async with Bench({"subprotocol": None}) as bench:
        assert bench.sockets[0].closed_with == 1002
        assert bench.events == [("down", "back-end does not support sub-protocol ocpp1.6")]
        await bench.clock.run_for(1_000)
        assert bench.link.connected


async def test_security_profile_2_refuses_plain_ws():
    async with Bench(SecurityProfile=2) as bench:
        await bench.clock.run_for(10_000)
        assert bench.attempts == [] and bench.events[0] == ("down", "SecurityProfile requires a wss URL")


async def test_wss_without_a_certificate_is_refused():
    async with Bench(CentralSystemUrl="wss://host") as bench:
        assert bench.attempts == [] and bench.events[0] == ("down", "a wss URL needs CentralSystemCaFile")


# -- the end of a link


async def test_lost_link_comes_back():
    async with Bench() as bench:
        bench.sockets[0].put(OSError("reset by peer"))
        await settle()
        assert bench.events == [("up", None), ("down", "reset by peer")]
        assert not bench.link.connected
        await bench.clock.run_for(1_000)
        assert bench.link.connected and bench.times() == [0, 1_000]


async def test_calls_on_a_lost_link_fail_at_once():
    async with Bench() as bench:
        outcomes = []

        async def call():
            try:
                await bench.link.call("Heartbeat", {})
            except LinkDown as exc:
                outcomes.append(exc)

        asyncio.create_task(call())
        await settle()
        bench.sockets[0].put(None)
        await settle()
        assert len(outcomes) == 1


async def test_server_that_accepts_and_closes_is_not_hammered():
    """Only a link on which the back-end said something resets the wait."""
    async with Bench() as bench:
        for _ in range(3):
            bench.sockets[-1].put(None)
            await bench.clock.run_for(10_000)
        assert bench.times() == [0, 1_000, 12_000, 24_000]
        bench.sockets[-1].put('[3,"x",{}]')
        bench.sockets[-1].put(None)
        await bench.clock.run_for(1_000)
        assert bench.times()[-1] - bench.times()[-2] < 10_000 and bench.link.connected


async def test_drop_closes_and_waits():
    async with Bench() as bench:
        bench.link.drop("told to")
        await settle()
        assert bench.sockets[0].closed_with == 1000 and bench.events[-1] == ("down", "told to")
        assert len(bench.sockets) == 1
        await bench.clock.run_for(1_000)
        assert bench.link.connected


async def test_reconnect_does_not_wait():
    async with Bench() as bench:
        bench.link.reconnect()
        await settle(50)
        assert bench.sockets[0].closed_with == 1000 and bench.link.connected and bench.times() == [0, 0]
    async with Bench(OSError("refused")) as bench:
        bench.link.reconnect()
        await settle(50)
        assert bench.link.connected and bench.times() == [0, 0]


async def test_a_call_in_work_is_answered_before_the_link_is_made_anew():
    # ChangeConfiguration of AuthorizationKey: the back-end gets its Accepted on the old link
    async with Bench() as bench:

        async def handle(action, payload):
            bench.link.reconnect()
            await bench.clock.sleep_ms(500)
            return {"status": "Accepted"}

        bench.handle = handle
        bench.sockets[0].put('[2,"1","ClearCache",{}]')
        await bench.clock.run_for(600)
        assert bench.sockets[0].sent == [[3, "1", {"status": "Accepted"}]]
        assert bench.sockets[0].closed_with == 1000 and bench.link.connected and len(bench.attempts) == 2


async def test_nothing_is_left_behind():
    bench = Bench()
    async with bench:
        pass
    assert bench.sockets[0].closed_with == 1001
    assert bench.events == [("up", None), ("down", None)] and not bench.link.connected
    before = bench.clock._sleepers
    await bench.clock.run_for(100_000)
    assert before == [] and len(bench.attempts) == 1


# -- supervision


async def test_pings_at_the_interval():
    async with Bench(WebSocketPingInterval=60) as bench:
        await bench.clock.run_for(59_000)
        assert bench.sockets[0].pings == 0
        await bench.clock.run_for(2_000)
        assert bench.sockets[0].pings == 1
        await bench.clock.run_for(240_000)
        assert bench.sockets[0].pings == 5
        assert bench.link.connected


async def test_interval_0_sends_no_pings():
    async with Bench() as bench:
        await bench.clock.run_for(1_000_000)
        assert bench.sockets[0].pings == 0 and bench.link.connected


async def test_half_open_link_is_noticed():
    """OCPP-J errata 3.11: a link whose other side is gone without a word must not stay "connected"."""
    # trap 7
    async with Bench(WebSocketPingInterval=30) as bench:
        bench.sockets[0].answers_pings = False
        await bench.clock.run_for(45_000)
        assert bench.events[1] == ("down", "no answer to a ping")
        assert bench.link.connected  # again
        assert len(bench.sockets) == 2


async def test_a_pong_in_the_millisecond_of_its_ping_is_a_sign_of_life():
    # O1: on a fast network the answer is there before the clock has moved
    async with Bench(WebSocketPingInterval=10) as bench:
        await bench.clock.run_for(120_000)
        assert bench.sockets[0].pings >= 11 and bench.link.connected and len(bench.sockets) == 1


async def test_default_pings_keep_a_link_that_a_proxy_closes_after_a_minute_of_silence():
    # O2: common proxies cut a connection on which nothing has passed for 60 s
    async with Bench(WebSocketPingInterval=SETTINGS.find("WebSocketPingInterval").default) as bench:
        pings, longest_ms, quiet_since_ms = 0, 0, bench.clock.ms()
        for _ in range(600 * 4):
            await bench.clock.run_for(250)
            if bench.sockets[0].pings > pings:
                pings = bench.sockets[0].pings
                longest_ms = max(longest_ms, bench.clock.ms() - quiet_since_ms)
                quiet_since_ms = bench.clock.ms()
        assert pings >= 10 and longest_ms < 55_000, longest_ms


async def test_other_messages_are_a_sign_of_life_too():
    async with Bench(WebSocketPingInterval=30) as bench:
        bench.sockets[0].answers_pings = False
        for _ in range(20):
            await bench.clock.run_for(5_000)
            bench.sockets[0].put('[3,"x",{}]')
        assert bench.link.connected and len(bench.sockets) == 1


async def test_unanswered_call_probes_the_link():
    """Without pings, a CALL that times out is the first hint that nobody is there."""
    for answers, sockets in ((True, 1), (False, 2)):
        async with Bench() as bench:
            bench.sockets[0].answers_pings = answers
            outcomes = []

            async def call(link, outcomes=outcomes):
                try:
                    await link.call("Heartbeat", {})
                except RpcTimeout as exc:
                    outcomes.append(exc)

            asyncio.create_task(call(bench.link))
            await bench.clock.run_for(40_000)
            assert len(outcomes) == 1 and len(bench.sockets) == sockets


async def test_a_back_end_that_does_not_read_is_left():
    """Its TCP window is closed: neither a CALL nor an answer gets out, and no time-out of theirs begins."""
    async with Bench() as bench:
        bench.sockets[0].reads.clear()
        bench.sockets[0].put('[2,"1","ClearCache",{}]')
        await bench.clock.run_for(29_000)
        assert bench.link.connected
        bench.sockets[0].reads.set()
        await bench.clock.run_for(100)
        assert bench.sockets[0].sent == [[3, "1", {"status": "Accepted"}]]
        bench.sockets[0].reads.clear()
        bench.sockets[0].put('[2,"2","ClearCache",{}]')
        await bench.clock.run_for(29_000)
        assert bench.link.connected and len(bench.sockets) == 1
        await bench.clock.run_for(5_000)
        assert ("down", "the back-end does not read") in bench.events and len(bench.sockets) == 2
        await bench.clock.run_for(60_000)
        assert bench.link.connected and len(bench.sockets) == 2


async def test_half_an_answer_ends_the_link():
    async with Bench() as bench:
        bench.sockets[0].send_error = OSError("pieces have another length than announced")
        bench.sockets[0].put('[2,"1","ClearCache",{}]')
        await bench.clock.run_for(2_000)
        assert ("down", "answer not sent") in bench.events and len(bench.sockets) == 2


async def test_pongs_without_answers_are_no_link():
    """A gateway that goes on ponging for a back-end that is gone must not keep the station in the dark."""
    async with Bench() as bench:

        async def heartbeats(calls):
            for _ in range(calls):
                try:
                    await bench.link.call("Heartbeat", {})
                except (RpcTimeout, LinkDown):
                    pass

        asyncio.create_task(heartbeats(2))
        await bench.clock.run_for(42_000)
        assert bench.link.connected and len(bench.sockets) == 1
        asyncio.create_task(heartbeats(1))
        await bench.clock.run_for(30_000)
        assert len(bench.sockets) == 2
        assert ("down", "calls are not answered") in bench.events
