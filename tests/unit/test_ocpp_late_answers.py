"""A back-end that answers transaction messages only after MessageTimeout (OCPP 1.6 §3.7.1). Row O6."""

import asyncio
import json

from ocpp_bench import Bench

from firmware.ocpp.peer import Peer
from firmware.ocpp.protocol import MessageIds, Protocol
from firmware.ocpp.v16.rules import Rules


class SlowPeer:
    """A back-end over a real Peer that answers `late_ms` after a message has come, with a new transaction each time."""

    def __init__(self, bench, late_ms):
        self.bench = bench
        self.late_ms = late_ms
        self.sent = []
        self.ids = MessageIds()
        self.connect()

    def connect(self):
        protocol = Protocol(Rules(), self.ids)
        self.peer = Peer(self, protocol, None, lambda: False, self.bench.log, self.bench.clock)

    async def call(self, action, payload, transmissions=None):
        return await self.peer.call(action, payload, 30, transmissions)

    async def send(self, text):
        self.sent.append(json.loads(text))
        asyncio.create_task(self._answer(self.sent[-1], 1000 + len(self.sent)))

    async def _answer(self, message, number):
        await self.bench.clock.sleep_ms(self.late_ms)
        answer = {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        await self.peer.receive(json.dumps([3, message[1], answer if message[2] == "StartTransaction" else {}]))

    def actions(self):
        return [message[2] for message in self.sent]


async def test_a_back_end_that_always_answers_too_late_gets_each_message_through():
    # O6: 35 s is while the message waits for its next transmission, 45 s and 65 s while it is on its way again
    for late_ms, transmissions in ((35_000, 1), (45_000, 2), (65_000, 2), (75_000, 2), (95_000, 3)):
        bench = Bench()
        peer = SlowPeer(bench, late_ms)
        bench.peer = peer
        tx = bench.begin()
        bench.sample(tx, 1100)
        bench.end(tx)
        numbers = []
        bench.outbox.delivered.connect(lambda record, response, numbers=numbers: numbers.append(response))
        bench.start()
        await bench.clock.run_for(late_ms)
        assert bench.outbox.transaction_id(tx) == 1001
        await bench.clock.run_for(600_000)
        expected = ["StartTransaction"] * transmissions
        expected += ["MeterValues"] * transmissions + ["StopTransaction"] * transmissions
        assert peer.actions() == expected and bench.outbox.length == 0
        assert numbers[0]["transactionId"] == 1001 and len(numbers) == 3
        assert [message[3]["transactionId"] for message in peer.sent[transmissions:]] == [1001] * transmissions * 2


async def test_a_late_answer_counts_on_the_next_link_too():
    # O6: ids are never used twice, so it can only mean this message
    bench = Bench()
    peer = SlowPeer(bench, 45_000)
    bench.peer = peer
    tx = bench.begin()
    bench.start()
    await bench.clock.run_for(32_000)
    bench.outbox.pause()
    peer.peer.close()
    peer.connect()
    bench.outbox.resume()
    await bench.clock.run_for(13_000)
    assert bench.outbox.transaction_id(tx) == 1001
