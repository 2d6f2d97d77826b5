"""One link, supervised: pings, a back-end that is mute or does not read, and its end (OCPP-J 1.6 §5.3, errata 3.11)."""

import asyncio

from harness import FakeClock, raises, settle
from test_connection import Bench as ConnectionBench
from test_connection import FakeSocket, Values

from firmware.kernel.log import WARNING, Log
from firmware.kernel.signal import Signal
from firmware.ocpp.connection import _random
from firmware.ocpp.errors import LinkDown
from firmware.ocpp.link import Link, NoLink


class Peer:
    def __init__(self):
        self.timed_out = Signal()
        self.failed = Signal()
        self.call = None
        self.answering = False
        self.heard = []
        self.closed = 0

    async def receive(self, text):
        self.heard.append(text)

    async def receive_large(self, message):
        self.heard.append(("large", message))

    def close(self):
        self.closed += 1


class Large:
    pass


class Bench:
    """`await bench.run_for(ms)`; `ended` is why the link has ended, None while it is up."""

    def __init__(self, **settings):
        self.clock = FakeClock()
        self.log = Log(self.clock)
        self.socket = FakeSocket(self.clock)
        self.peer = Peer()
        self.beats = self.doubts = 0
        self.ended = None
        self.link = Link(self.socket, self.peer, Values(**settings), self.log, self.clock)
        self.link.doubted.connect(self._doubted)
        self.task = None

    def _doubted(self):
        self.doubts += 1

    def _beat(self):
        self.beats += 1

    async def _run(self):
        self.ended = await self.link.run(self._beat)

    async def run_for(self, ms):
        if not self.task:
            self.task = asyncio.create_task(self._run())
            await settle()
        await self.clock.run_for(ms)


async def test_what_comes_is_handed_on_and_what_is_binary_is_not():
    bench = Bench()
    assert not bench.link.useful
    large = Large()
    bench.socket.put(b"x")
    await bench.run_for(0)
    assert not bench.link.useful and len(list(bench.log.lines(WARNING))) == 1
    bench.socket.put("[3]")
    bench.socket.put(large)
    await bench.run_for(0)
    assert bench.peer.heard == ["[3]", ("large", large)] and bench.link.useful
    bench.socket.close_code, bench.socket.close_reason = 1001, "bye"
    bench.socket.put(None)
    await bench.run_for(0)
    assert bench.ended == "closed by the back-end, code 1001 bye" and bench.peer.closed == 1
    assert not bench.clock._sleepers  # the watcher is gone


async def test_the_link_beats_while_it_is_watched():
    bench = Bench()
    await bench.run_for(10_000)
    assert bench.beats == 20 and bench.socket.pings == 0


async def test_pings_go_at_the_interval_and_their_silence_is_waited_for():
    bench = Bench(WebSocketPingInterval=5)
    await bench.run_for(4_999)
    assert bench.socket.pings == 0
    await bench.run_for(1)
    assert bench.socket.pings == 1
    await bench.run_for(5_500)
    assert bench.socket.pings == 2
    bench.socket.answers_pings = False
    while bench.socket.pings == 2:
        await bench.run_for(100)
    await bench.run_for(9_800)
    assert bench.ended is None and bench.socket.pings == 3
    await bench.run_for(300)
    assert bench.ended == "no answer to a ping"
    assert bench.socket.closed_with == 1000


async def test_unanswered_calls_are_probed_doubted_and_end_the_link():
    bench = Bench()
    for unanswered, doubts, pings in ((1, 0, 1), (2, 1, 2)):
        await bench.run_for(600)
        bench.peer.timed_out.emit(unanswered)
        await bench.run_for(600)
        assert (bench.doubts, bench.socket.pings) == (doubts, pings)
    await bench.run_for(20_000)
    assert bench.socket.pings == 2 and bench.ended is None  # one for each
    bench.peer.timed_out.emit(3)
    await bench.run_for(100)
    assert bench.ended == "calls are not answered" and bench.doubts == 1


async def test_a_ping_that_does_not_leave_ends_the_link():
    for error in (OSError("broken"), asyncio.TimeoutError()):
        bench = Bench(WebSocketPingInterval=5)

        async def ping(error=error):
            raise error

        bench.socket.ping = ping
        await bench.run_for(6_000)
        assert bench.ended == "cannot send a ping"


async def test_a_message_has_30_seconds_to_leave():
    bench = Bench()
    await bench.run_for(0)
    bench.socket._begun_ms = bench.clock.ms()
    await bench.run_for(29_900)
    assert bench.ended is None
    await bench.run_for(200)
    assert bench.ended == "the back-end does not read"


async def test_what_is_being_answered_is_answered_first_for_two_seconds():
    for answering, closed_ms in ((False, 0), (True, 2_000)):
        bench = Bench()
        await bench.run_for(0)
        bench.peer.answering = answering
        bench.link.drop("first")
        bench.link.drop("second")  # too late
        begun_ms = bench.clock.ms()
        await bench.run_for(closed_ms - 10 if closed_ms else 0)
        if answering:
            assert bench.ended is None
            await bench.run_for(20)
        assert bench.ended == "first" and bench.socket.closed_with == 1000
        assert bench.clock.ms() - begun_ms <= closed_ms + 20


async def test_a_link_that_breaks_while_it_is_dropped_leaves_no_task():
    bench = Bench()
    await bench.run_for(0)
    bench.peer.answering = True
    bench.link.drop("first")
    await settle()
    bench.socket.put(OSError("broken"))
    await bench.run_for(0)
    assert bench.ended == "first" and bench.socket.closed_with is None
    await bench.run_for(5_000)
    assert bench.socket.closed_with is None  # nobody closes it behind the end
    await bench.link.close()
    assert bench.socket.closed_with == 1001


async def test_no_link_calls_nobody():
    link = NoLink()
    link.drop("x")
    assert not link.up
    with raises(LinkDown):
        await link.call("Heartbeat", {}, 30)


# -- the connection around it


async def test_a_lasting_error_is_logged_once_and_told_each_time():
    bench = ConnectionBench(*[OSError("no route")] * 3 + [{}] + [OSError("no route")] * 2)
    assert bench.link.url == ""
    async with bench:
        await bench.clock.run_for(7_000)
        assert [state for state, _ in bench.events] == ["down", "down", "down", "up"]
        assert len([line for line in bench.log.lines(WARNING) if "no route" in line[3]]) == 1
        bench.sockets[0].put(None)
        await bench.clock.run_for(30_000)
        assert len([line for line in bench.log.lines(WARNING) if "no route" in line[3]]) == 2  # after a link, anew


async def test_to_hurry_forgets_the_failures_and_counts_once():
    bench = ConnectionBench(*[OSError("no route")] * 8)
    async with bench:
        await bench.clock.run_for(7_000)
        assert bench.times() == [0, 1_000, 3_000, 7_000]
        bench.link.hurry()
        await settle()
        await bench.clock.run_for(3_000)
        assert bench.times()[4:] == [7_000, 8_000, 10_000]


async def test_without_an_address_the_settings_are_looked_at_again():
    bench = ConnectionBench(CentralSystemUrl="")
    beats = []
    task = asyncio.create_task(bench.link.run(lambda: beats.append(bench.clock.ms())))
    await settle()
    bench.settings.values["CentralSystemUrl"] = "ws://host/ocpp"
    await bench.clock.run_for(9_999)
    assert bench.attempts == []
    await bench.clock.run_for(1)
    assert bench.times() == [10_000] and len(beats) > 2  # while it waits, too
    task.cancel()


async def test_the_end_of_a_link_is_told_to_who_opened_it_and_doubts_are_passed_on():
    bench = ConnectionBench()
    ended, doubts = [], []
    bench.link._opener.link_ended = lambda: ended.append(True)
    bench.link.doubted.connect(lambda: doubts.append(True))
    async with bench:
        bench.link._link.doubted.emit()
        assert doubts == [True] and ended == []
        bench.sockets[0].put(None)
        await settle()
        assert ended == [True]


def test_random_waits_are_below_their_limit():
    assert _random(0) == _random(1) == 0
    assert {_random(2) for _ in range(60)} == {0, 1}
    assert all(0 <= _random(1000) < 1000 for _ in range(50))
