"""Calls in both directions over one connection (OCPP-J 1.6 §4 with errata)."""

import asyncio
import json

from harness import FakeClock, raises, settle

import firmware.ocpp.protocol as protocol_module
from firmware.kernel.log import WARNING, Log
from firmware.ocpp.errors import CallError, InvalidAnswer, LinkDown, RpcTimeout
from firmware.ocpp.peer import Peer
from firmware.ocpp.protocol import LongAnswer, MessageIds, Protocol
from firmware.ocpp.transmissions import Transmissions
from firmware.ocpp.v16.rules import Rules

NOW = "2026-11-21T01:02:03Z"
BOOT = {"chargePointVendor": "Vendor", "chargePointModel": "Model"}


class Bench:
    """A Peer without a socket: `sent` has what it sent, `handled` the calls that reached the handler."""

    def __init__(self):
        self.sent = []
        self.handled = []
        self.clock = FakeClock()
        self.log = Log(self.clock)
        self.answers = {}  # action -> answer, exception, or function
        self.send_error = None
        self._ids = 0
        self.silent = False
        protocol = Protocol(Rules(), self._message_id)
        self.peer = Peer(self, protocol, self._handle, lambda: self.silent, self.log, self.clock)

    async def send(self, text):
        if self.send_error:
            raise self.send_error
        self.sent.append(json.loads(text))
        await asyncio.sleep(0)

    async def send_pieces(self, size, pieces):
        text = ""
        for piece in pieces:
            text += piece
            await asyncio.sleep(0)
        assert len(text.encode()) == size
        self.sent.append(json.loads(text))

    def _handle(self, action, payload):
        self.handled.append((action, payload))
        answer = self.answers.get(action, {"status": "Accepted"})
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    def _message_id(self):
        self._ids += 1
        return "id%d" % self._ids

    async def receive(self, *messages):
        for message in messages:
            await self.peer.receive(message if isinstance(message, str) else json.dumps(message))
        await settle()

    async def begin(self, action="Heartbeat", payload=None, timeout_s=30, transmissions=None):
        """Starts a call and returns a task whose result is the answer, or the exception."""
        task = asyncio.create_task(self._outcome(action, payload or {}, timeout_s, transmissions))
        await settle()
        return task

    async def _outcome(self, action, payload, timeout_s, transmissions):
        try:
            return await self.peer.call(action, payload, timeout_s, transmissions)
        except (CallError, OSError) as exc:
            return exc


class Dumps:
    """Stands for the module json where a test decides what dumps() does."""

    def __init__(self, dumps):
        self.dumps = dumps


def reset(message_id="1"):
    return [2, message_id, "Reset", {"type": "Soft"}]


# -- our calls


async def test_call_and_its_result():
    bench = Bench()
    task = await bench.begin()
    assert bench.sent == [[2, "id1", "Heartbeat", {}]]
    await bench.receive([3, "id1", {"currentTime": NOW}])
    assert await task == {"currentTime": NOW}


async def test_one_call_at_a_time():
    # trap 1
    bench = Bench()
    first, second = await bench.begin(), await bench.begin()
    assert len(bench.sent) == 1
    await bench.receive([3, "id1", {"currentTime": NOW}])
    assert [message[1] for message in bench.sent] == ["id1", "id2"]
    await bench.receive([3, "id2", {"currentTime": NOW}])
    assert await first == await second == {"currentTime": NOW}


async def test_null_is_an_empty_payload():
    # trap 5
    bench = Bench()
    task = await bench.begin("StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available"})
    await bench.receive([3, "id1", None])
    assert await task == {}
    bench.answers["ClearCache"] = {"status": "Rejected"}
    await bench.receive([2, "x", "ClearCache", None])
    assert bench.sent[-1] == [3, "x", {"status": "Rejected"}]


async def test_callerror_is_raised_whatever_it_looks_like():
    # trap 3
    for message, code, description, details in (
        ([4, "id1", "InternalError", "why", {"a": 1}], "InternalError", "why", {"a": 1}),
        ([4, "id1", "OccurrenceConstraintViolation", "", {}], "OccurrenceConstraintViolation", "", {}),
        ([4, "id1", "X"], "X", "", {}),
        ([4, "id1"], "GenericError", "", {}),
        ([4, "id1", 5, None, "details"], "GenericError", "", {}),
    ):
        bench = Bench()
        task = await bench.begin()
        await bench.receive(message)
        error = await task
        assert isinstance(error, CallError) and not isinstance(error, InvalidAnswer)
        assert (error.code, error.description, error.details) == (code, description, details)


async def test_callerror_is_never_answered():
    # trap 5
    bench = Bench()
    await bench.receive([4, "unknown", "InternalError", "", {}], [4], [3])
    assert bench.sent == []


async def test_answer_that_breaks_the_schema():
    for message in ([3, "id1", []], [3, "id1", "Accepted"], [3, "id1"], [3, "id1", {}, {}]):
        bench = Bench()
        task = await bench.begin()
        await bench.receive(message)
        assert isinstance(await task, InvalidAnswer), message


async def test_what_an_answer_says_besides_what_cannot_be_read_counts():
    # O7, O8: it is logged
    for payload, left, warnings in (
        ({}, {}, 1),
        ({"currentTime": "now"}, {"currentTime": None}, 1),
        ({"currentTime": "20261121T010203Z", "more": 1}, {"currentTime": "20261121T010203Z"}, 0),
    ):
        bench = Bench()
        task = await bench.begin()
        await bench.receive([3, "id1", payload])
        assert await task == left and len(list(bench.log.lines(WARNING))) == warnings


async def test_unknown_answers_do_not_disturb_the_call():
    # trap 1
    bench = Bench()
    task = await bench.begin()
    await bench.receive(
        [3, "other", {"currentTime": NOW}], [4, "other", "X", "", {}], [3, 1, {}], [3, None, {}], [3, ["id1"], {}], [3]
    )
    assert not task.done()
    await bench.receive([3, "id1", {"currentTime": NOW}])
    assert await task == {"currentTime": NOW}


async def test_only_the_first_answer_counts():
    bench = Bench()
    task = await bench.begin()
    await bench.peer.receive(json.dumps([3, "id1", {"currentTime": NOW}]))
    await bench.peer.receive(json.dumps([4, "id1", "InternalError", "", {}]))
    await settle()
    assert await task == {"currentTime": NOW}


async def test_timeout_and_an_answer_that_comes_late():
    bench = Bench()
    timed_out = []
    bench.peer.timed_out.connect(timed_out.append)
    task = await bench.begin(timeout_s=10)
    await bench.clock.run_for(9_999)
    assert not task.done()
    await bench.clock.run_for(1)
    assert isinstance(await task, RpcTimeout) and timed_out == [1]
    task = await bench.begin()
    await bench.receive([3, "id1", {"currentTime": "2000-01-01T00:00:00Z"}])
    assert not task.done()
    await bench.receive([3, "id2", {"currentTime": NOW}])
    assert await task == {"currentTime": NOW}


def started(transaction_id):
    return {"transactionId": transaction_id, "idTagInfo": {"status": "Accepted"}}


START = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": NOW}


async def test_a_late_answer_to_an_earlier_transmission_is_the_answer():
    # O6: also while the message is on its way again, when the second answer is then ignored
    bench = Bench()
    sent = Transmissions(lambda: None)
    first = await bench.begin("StartTransaction", START, 10, sent)
    await bench.clock.run_for(10_000)
    assert isinstance(await first, RpcTimeout) and bench.peer.unanswered == 1
    second = await bench.begin("StartTransaction", START, 10, sent)
    await bench.receive([3, "id1", started(77)])
    assert (await second)["transactionId"] == 77 and bench.peer.unanswered == 0
    sent.end()
    other = await bench.begin()
    await bench.receive([3, "id2", started(78)], [3, "id1", started(79)])
    assert not other.done() and sent.answer is None
    await bench.receive([3, "id3", {"currentTime": NOW}])
    assert await other == {"currentTime": NOW}


async def test_a_late_answer_makes_sending_again_needless():
    # O6: it comes while nothing is on its way, or while another call has its turn
    bench = Bench()
    told = []
    sent = Transmissions(lambda: told.append(1))
    await bench.begin("StartTransaction", START, 10, sent)
    await bench.clock.run_for(10_000)
    heartbeat = await bench.begin()
    again = await bench.begin("StartTransaction", START, 10, sent)
    await bench.receive([3, "id1", started(77)])
    assert told == [1] and not again.done()
    await bench.receive([3, "id2", {"currentTime": NOW}])
    assert await heartbeat == {"currentTime": NOW} and (await again)["transactionId"] == 77
    assert [message[1] for message in bench.sent] == ["id1", "id2"]


async def test_a_late_error_counts_once():
    # O6: it is the answer to one transmission; the next one may still be answered well
    bench = Bench()
    sent = Transmissions(lambda: None)
    await bench.begin("StartTransaction", START, 10, sent)
    await bench.clock.run_for(10_000)
    second = await bench.begin("StartTransaction", START, 10, sent)
    await bench.receive([4, "id1", "InternalError", "", {}])
    assert isinstance(await second, CallError)
    await bench.receive([4, "id1", "InternalError", "", {}])
    assert sent.answer is None
    await bench.receive([3, "id2", started(5)])
    assert (await (await bench.begin("StartTransaction", START, 10, sent)))["transactionId"] == 5
    assert len(bench.sent) == 2


async def test_late_answers_to_other_messages_are_never_taken():
    # O6: not to a message that was dealt with, not to one that is sent once
    bench = Bench()
    heartbeat = await bench.begin(timeout_s=10)
    await bench.clock.run_for(10_000)
    assert isinstance(await heartbeat, RpcTimeout)
    before, sent = Transmissions(lambda: None), Transmissions(lambda: None)
    await bench.begin("StartTransaction", START, 10, before)
    await bench.clock.run_for(10_000)
    before.end()
    task = await bench.begin("StartTransaction", START, 10, sent)
    for message_id in ("id1", "id2", "id4", 3, None):
        await bench.receive([3, message_id, started(1)])
    assert not task.done() and sent.answer is None
    await bench.receive([3, "id3", started(2)])
    assert (await task)["transactionId"] == 2


def test_the_ids_that_are_kept_are_bounded():
    # O6
    sent = Transmissions(lambda: None)
    for i in range(1000):
        sent.add(i)
    assert sum([sent.take(i) for i in range(1000)]) == 16
    assert sum([sent.take(i) for i in range(1000)]) == 0


async def test_time_spent_waiting_for_the_turn_does_not_count():
    bench = Bench()
    first, second = await bench.begin(timeout_s=10), await bench.begin(timeout_s=10)
    await bench.clock.run_for(10_000)
    assert isinstance(await first, RpcTimeout)
    await bench.clock.run_for(9_000)
    assert not second.done()
    await bench.receive([3, "id2", {"currentTime": NOW}])
    assert await second == {"currentTime": NOW}


async def test_cancelled_call_leaves_the_turn_to_the_next():
    bench = Bench()
    first = await bench.begin()
    first.cancel()
    second = await bench.begin()
    await bench.receive([3, "id1", {"currentTime": NOW}], [3, "id2", {"currentTime": NOW}])
    assert await second == {"currentTime": NOW}


async def test_close_ends_all_calls():
    bench = Bench()
    tasks = [await bench.begin(), await bench.begin()]
    bench.peer.close()
    for task in tasks:
        assert isinstance(await task, LinkDown)
    assert isinstance(await (await bench.begin()), LinkDown)
    assert len(bench.sent) == 1


async def test_bad_payloads_of_ours_are_not_sent():
    bench = Bench()
    for payload in ({}, {"idTag": "x" * 21}, {"idTag": 5}, {"idTag": "x", "more": 1}):
        with raises(CallError):
            await bench.peer.call("Authorize", payload, 30)
    value = {"timestamp": NOW, "sampledValue": [{"value": float("nan")}]}
    with raises(CallError):
        await bench.peer.call("MeterValues", {"connectorId": 1, "meterValue": [value]}, 30)
    assert bench.sent == []


async def test_send_error_is_raised():
    bench = Bench()
    bench.send_error = OSError("broken")
    assert str(await (await bench.begin())) == "broken"


# -- calls of the back-end


async def test_call_is_answered():
    bench = Bench()
    await bench.receive(reset())
    assert bench.handled == [("Reset", {"type": "Soft"})]
    assert bench.sent == [[3, "1", {"status": "Accepted"}]]


async def test_a_call_is_answered_before_what_follows_it_is_looked_at():
    # RFC 6455 §5: a broken frame behind it ends the link
    bench = Bench()
    await bench.peer.receive('[2,"1","ClearCache",{}]')
    assert bench.sent == [[3, "1", {"status": "Accepted"}]]
    await bench.peer.receive('[2,"2","ClearCache",{}]')
    assert bench.sent[1:] == [[3, "2", {"status": "Accepted"}]]


async def test_calls_are_answered_while_ours_waits():
    # trap 1
    bench = Bench()
    task = await bench.begin()
    await bench.receive(reset())
    assert bench.sent[1] == [3, "1", {"status": "Accepted"}]
    assert not task.done()
    task.cancel()


async def test_calls_are_answered_one_by_one_in_order():
    bench = Bench()
    gate = asyncio.Event()

    async def slow():
        await gate.wait()
        return {"status": "Rejected"}

    bench.answers["Reset"] = slow
    await bench.receive(reset(), [2, "2", "ClearCache", {}])
    assert [action for action, _ in bench.handled] == ["Reset"]
    gate.set()
    await settle()
    assert bench.sent == [[3, "1", {"status": "Rejected"}], [3, "2", {"status": "Accepted"}]]


async def test_an_answer_counts_before_the_next_message_is_read():
    # trap 9, OCPP 1.6 §4.2: a call on the heels of the Rejected that silences the station
    bench = Bench()

    async def register():
        await bench.peer.call("BootNotification", BOOT, 30)
        bench.silent = True

    task = asyncio.create_task(register())
    await settle()
    rejected = {"status": "Rejected", "currentTime": NOW, "interval": 30}
    await bench.receive([3, "id1", rejected], reset())
    await task
    assert len(bench.sent) == 1 and bench.handled == []


async def test_nothing_is_answered_while_silent():
    # OCPP 1.6 §4.2: a rejected station does not answer, and a malformed call is no exception
    bench = Bench()
    bench.silent = True
    await bench.receive([2, "a", "ClearCache", {}], [2, "b", "Nonsense", {}], [2, "c", "Reset", {"type": 1}], [2, "d"])
    assert bench.sent == [] and bench.handled == []


async def test_errors_of_the_call():
    # trap 3
    for message, code in (
        ([2, "1", "Nonsense", {}], "NotImplemented"),
        ([2, "1", "Reset", {"type": "Firm"}], "PropertyConstraintViolation"),
        ([2, "1", "Reset", {}], "OccurenceConstraintViolation"),
        ([2, "1", "Reset", {"type": 1}], "TypeConstraintViolation"),
        ([2, "1", "Reset", ["Soft"]], "FormationViolation"),
        ([2, "1", "Reset"], "FormationViolation"),
        ([2, "1"], "FormationViolation"),
        ([2, "1", 5, {}], "FormationViolation"),
        ([2, "1", "Reset", {"type": "Soft"}, {}], "FormationViolation"),
        ([2, "x" * 37, "Reset", {"type": "Soft"}], "FormationViolation"),
        ([2, "", "Reset", {"type": "Soft"}], "FormationViolation"),
    ):
        bench = Bench()
        await bench.receive(message)
        kind, message_id, actual, description, details = bench.sent[0]
        assert (kind, message_id, actual, details) == (4, message[1], code, {}), message
        assert isinstance(description, str) and bench.handled == []


async def test_errors_of_the_handler():
    bench = Bench()
    bench.answers["Reset"] = CallError("NotSupported", "not here", {"a": "b"})
    await bench.receive(reset())
    assert bench.sent.pop() == [4, "1", "NotSupported", "not here", {"a": "b"}]
    for broken in (KeyError("x"), MemoryError(), {"status": "Perhaps"}, {}, [], lambda: 1 // 0):
        bench.answers["Reset"] = broken
        await bench.receive(reset())
        assert bench.sent.pop()[:2] == [4, "1"], broken
    bench.answers["Reset"] = {"status": "Accepted"}
    await bench.receive(reset())
    assert bench.sent == [[3, "1", {"status": "Accepted"}]]


async def test_what_follows_an_answer():
    """TriggerMessage is answered first, then comes the message; calls are answered meanwhile (OCPP 1.6 §5.17)."""
    bench = Bench()
    results = []

    async def follow_up():
        results.append(await bench.peer.call("Heartbeat", {}, 30))

    bench.answers["TriggerMessage"] = {"status": "Accepted"}, follow_up
    await bench.receive([2, "1", "TriggerMessage", {"requestedMessage": "Heartbeat"}], reset("2"))
    assert bench.sent[0] == [3, "1", {"status": "Accepted"}]
    assert [2, "id1", "Heartbeat", {}] in bench.sent and [3, "2", {"status": "Accepted"}] in bench.sent
    await bench.receive([3, "id1", {"currentTime": NOW}])
    assert results == [{"currentTime": NOW}]


async def test_follow_ups_that_fail_do_not_stop_the_next():
    bench = Bench()
    done = []
    for follow_up in (lambda: 1 // 0, lambda: done.append(1)):
        bench.answers["Reset"] = {"status": "Accepted"}, follow_up
        await bench.receive(reset())
    assert done == [1]


async def test_an_id_that_is_a_number_comes_back_as_it_came():
    # O9: OCPP-J wants a string; back-ends that number their calls would otherwise wait for ever
    bench = Bench()
    for message_id in (12345, 0, -7, 2**40, 1.5):
        await bench.receive([2, message_id, "Reset", {"type": "Soft"}])
        answer = bench.sent.pop()
        assert answer == [3, message_id, {"status": "Accepted"}] and type(answer[1]) is type(message_id)
        await bench.receive([2, message_id, "Unknown", {}])
        assert bench.sent.pop()[:3] == [4, message_id, "NotImplemented"]
        await bench.receive([2, message_id, "Reset"])
        assert bench.sent.pop()[:3] == [4, message_id, "FormationViolation"]
    await bench.receive('[2,%d,"Reset",{"type":"Soft"}]' % 10**36)  # 37 characters
    assert bench.sent.pop()[:3] == [4, 10**36, "FormationViolation"]


async def test_a_call_without_an_id_that_could_come_back_is_dropped():
    # O9: null, true, a list, an object and what JSON has no number for name no call
    bench = Bench()
    for message_id in ("null", "true", "false", "[1]", "{}", "1e999", "9" * 300):
        await bench.receive('[2,%s,"Reset",{"type":"Soft"}]' % message_id)
    assert bench.sent == [] and bench.handled == []


async def test_id_that_is_in_use():
    bench = Bench()
    bench.answers["Reset"] = asyncio.Event().wait
    await bench.receive(reset("7"), reset("7"))
    assert bench.sent[0][:3] == [4, "7", "ProtocolError"] and len(bench.handled) == 1
    bench.peer.close()


async def test_an_id_comes_again_as_soon_as_its_answer_is_read():
    """O9: a back-end that uses one id for all its calls, and reads the answer before our send() has returned."""
    bench = Bench()
    waiting = []
    plain = bench.send

    async def send(text):
        await plain(text)
        if len(bench.sent) == 1:
            waiting.append(asyncio.create_task(bench.peer.receive(json.dumps(reset("7")))))
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    bench.send = send
    await bench.receive(reset("7"))
    await waiting[0]
    await settle()
    assert [message[0] for message in bench.sent] == [3, 3], bench.sent
    bench.peer.close()


async def test_flood_of_calls_is_slowed_down_not_lost():
    bench = Bench()
    gate = asyncio.Event()

    async def slow():
        await gate.wait()
        return {"status": "Accepted"}

    bench.answers["Reset"] = slow
    reader = asyncio.create_task(bench.receive(*[reset(str(i)) for i in range(30)]))
    await settle()
    assert not reader.done()
    gate.set()
    await reader
    await settle(100)
    assert [message[:2] for message in bench.sent] == [[3, str(i)] for i in range(30)]


async def test_flood_while_a_handler_waits_for_the_back_end_does_not_lock_up():
    # trap 1
    bench = Bench()

    async def ask():
        await bench.peer.call("Heartbeat", {}, 30)
        return {"status": "Accepted"}

    bench.answers["Reset"] = ask
    await bench.receive(*[reset(str(i)) for i in range(20)])
    refused = [message[1] for message in bench.sent if message[0] == 4]
    assert refused == [str(i) for i in range(8, 20)]
    await bench.receive([3, "id1", {"currentTime": NOW}])
    assert [3, "0", {"status": "Accepted"}] in bench.sent
    bench.peer.close()


async def test_answer_that_cannot_be_sent_ends_quietly():
    bench = Bench()
    bench.send_error = OSError("broken")
    await bench.receive(reset())
    bench.send_error = None
    await bench.receive(reset("2"))
    assert bench.sent == [[3, "2", {"status": "Accepted"}]]


# -- garbage


async def test_what_is_not_a_message_is_dropped():
    # trap 5
    bench = Bench()
    task = await bench.begin()
    await bench.receive(
        "",
        "nonsense",
        "{}",
        "2",
        "null",
        '"text"',
        "[]",
        '[2,"1"',
        '[2,"1","Reset",{"type":"Soft"}]]',
        "\ufeff[]",
        '[5,"1","Reset",{"type":"Soft"}]',  # §4.1.3: unknown types are ignored
        '["2","1","Reset",{"type":"Soft"}]',
        '[[2],"1"]',
        "[null]",
        '[2,null,"Reset",{"type":"Soft"}]',
        '[2,{},"Reset",{"type":"Soft"}]',
        "[2]",
        "[" * 10_000,
        "[" * 10_000 + "]" * 10_000,
    )
    assert len(bench.sent) == 1 and bench.handled == [] and not task.done()
    await bench.receive([3, "id1", {"currentTime": NOW}])
    assert await task == {"currentTime": NOW}


async def test_a_call_that_nests_too_deep_or_too_often_is_refused():
    bench = Bench()
    await bench.receive('[2,"1","DataTransfer",{"vendorId":' + "[" * 17 + "]" * 17 + "}]")
    assert bench.sent.pop() == [4, "1", "FormationViolation", "nested deeper than 16", {}]
    await bench.receive('[2,"1",' + "[" * 17 + "]" * 17 + "]")
    assert bench.sent.pop() == [4, "1", "FormationViolation", "nested deeper than 16", {}]
    await bench.receive('[2,"1","DataTransfer",{"vendorId":"' + "[" * 5_000 + '"}]')
    assert bench.sent.pop() == [4, "1", "FormationViolation", "too many brackets", {}]
    assert bench.sent == [] and bench.handled == []


async def test_an_answer_that_nests_too_deep_has_come_all_the_same():
    bench = Bench()
    task = await bench.begin()
    await bench.receive('[3,"other",' + "[" * 17 + "]" * 17 + "]")
    assert not task.done()
    await bench.receive('[3,"id1",{"currentTime":' + "[" * 17 + "]" * 17 + "}]")
    assert type(await task) is InvalidAnswer and bench.peer.unanswered == 0


async def test_a_message_for_which_there_is_no_memory_is_refused():
    bench = Bench()
    task = await bench.begin("DataTransfer", {"vendorId": "v"})
    whole = protocol_module.parse
    hungry = '["not of this size"]'

    def parse(text):
        if hungry in text:
            raise MemoryError("memory allocation failed")
        return whole(text)

    protocol_module.parse = parse
    try:
        for head in ('2,"1","DataTransfer"', '2,null,"Reset"', '3,"other"', '5,"1"', "2", '4,"id1","InternalError"'):
            await bench.receive("[%s,%s]" % (head, hungry))
    finally:
        protocol_module.parse = whole
    assert bench.sent[1:] == [[4, "1", "GenericError", "memory allocation failed", {}]] and bench.handled == []
    assert (await task).code == "GenericError"


async def test_an_answer_for_which_there_is_no_memory_is_an_error():
    bench = Bench()
    sizes = [0, 1]

    def dumps(message, separators):
        if sizes.pop():
            raise MemoryError
        return json.dumps(message)

    protocol_module.json = Dumps(dumps)
    try:
        await bench.receive('[2,"1","ClearCache",{}]')
    finally:
        protocol_module.json = json
    assert bench.sent == [[4, "1", "InternalError", "", {}]]


def long_answer(count, turns=None, unknown=()):
    """GetConfiguration.conf; `turns` gets how many the others had before each item."""
    payload = {"configurationKey": []}

    def items():
        for n in range(count):
            if turns is not None:
                turns.append(turns.others)
            yield {"key": "Key%d" % n, "readonly": False, "value": '"configurationKey":['}
        for key in unknown:
            payload.setdefault("unknownKey", []).append(key)

    return LongAnswer(payload, "configurationKey", items)


class Turns(list):
    others = 0


async def test_a_long_answer_is_what_a_short_one_would_be():
    """Whatever its strings and its message id look like; without items, too."""
    bench = Bench()
    trap = '"configurationKey":['
    for count, unknown in ((0, ()), (1, ()), (50, ()), (0, (trap, "x")), (2, (trap,))):
        bench.answers["GetConfiguration"] = lambda: long_answer(count, None, unknown)  # noqa: B023
        bench.sent = []
        await bench.receive([2, trap, "GetConfiguration", {}])
        await settle(500)
        assert bench.sent
        payload = {"configurationKey": [{"key": "Key%d" % n, "readonly": False, "value": trap} for n in range(count)]}
        if unknown:
            payload["unknownKey"] = list(unknown)
        assert bench.sent == [[3, trap, payload]]


async def test_others_have_their_turn_between_the_items_of_a_long_answer():
    """Else the configuration of a station would hold up the control of its pilots."""
    bench = Bench()
    turns = Turns()
    bench.answers["GetConfiguration"] = lambda: long_answer(50, turns)

    async def other():
        while True:
            turns.others += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await bench.receive([2, "1", "GetConfiguration", {}])
    await settle(500)
    assert bench.sent
    task.cancel()
    assert turns[-1] - turns[0] >= 48


async def test_a_wrong_item_of_a_long_answer_is_not_sent():
    bench = Bench()
    items = ({"key": "Key", "readonly": False}, {"key": "Key", "readonly": "no"})
    bench.answers["GetConfiguration"] = LongAnswer({"configurationKey": []}, "configurationKey", lambda: iter(items))
    await bench.receive([2, "1", "GetConfiguration", {}])
    assert bench.sent[0][:3] == [4, "1", "TypeConstraintViolation"]


async def test_brackets_in_strings_do_not_nest():
    bench = Bench()
    data = '[{"' * 40 + "\\" * 3 + '"' + "]" * 9
    await bench.receive([2, "1", "DataTransfer", {"vendorId": "v", "data": data}])
    assert bench.handled == [("DataTransfer", {"vendorId": "v", "data": data})]


async def test_surrogate_pairs_become_characters():
    bench = Bench()
    bench.answers["DataTransfer"] = lambda: {"status": "Accepted", "data": bench.handled[-1][1]["data"]}
    for escaped, character in (
        (r"\ud83d\ude00", "\U0001f600"),
        (r"a\uD83D\uDE00b", "a\U0001f600b"),
        (r"\ud83d", "\ufffd"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
        (r"\ud7ff\u00e9", "\ud7ff\xe9"),
    ):
        await bench.receive('[2,"1","DataTransfer",{"vendorId":"v","data":"%s"}]' % escaped)
        assert bench.sent.pop()[2]["data"] == character, escaped


async def test_numbers_that_are_none():
    bench = Bench()
    for number in ("1e400", "-1e400"):
        await bench.receive('[2,"1","UnlockConnector",{"connectorId":%s}]' % number)
        assert bench.sent.pop()[2] == "PropertyConstraintViolation"
    assert bench.handled == []


# -- message ids


def test_message_ids_are_unique_across_power_ons():
    # trap 2
    first, second = MessageIds(), MessageIds(1 << 60)
    ids = [first() for _ in range(50)] + [second() for _ in range(50)]
    assert len(set(ids)) == 100
    assert len(ids[-1]) <= 36


async def test_a_call_that_is_not_answered_frees_its_id():
    # §4.1.4: the back-end may use it again on this link
    bench = Bench()
    bench.silent = True
    await bench.receive(reset("1"))
    bench.silent = False
    await bench.receive(reset("1"))
    assert bench.sent == [[3, "1", {"status": "Accepted"}]]
    bench.send_error = OSError("broken")
    await bench.receive(reset("2"), reset("3"))
    bench.send_error = None
    await bench.receive(reset("2"), reset("3"))
    assert bench.sent[1:] == [[3, "2", {"status": "Accepted"}], [3, "3", {"status": "Accepted"}]]


async def test_a_closed_peer_answers_nothing_and_lets_go_of_all():
    bench = Bench()
    go = asyncio.Event()
    done = []

    async def slow():
        await go.wait()
        done.append(True)
        return {"status": "Accepted"}

    bench.answers["Reset"] = slow
    await bench.receive(reset("1"), reset("2"))
    assert bench.peer.answering
    bench.peer.close()
    assert not bench.peer.answering
    go.set()
    await settle()
    await bench.receive(reset("3"))
    assert bench.sent == [] and done == []


async def test_actions_after_answers_are_bounded_and_the_newest_is_dropped():
    bench = Bench()
    go = asyncio.Event()
    ran = []

    def follow(n):
        async def action():
            await go.wait()
            ran.append(n)

        return action

    for n in range(20):
        bench.answers["Reset"] = ({"status": "Accepted"}, follow(n))
        await bench.receive(reset(str(n)))
    assert len(bench.sent) == 20
    dropped = [line for line in bench.log.lines(WARNING) if "dropped" in line[3]]
    go.set()
    await settle(100)
    assert ran == list(range(len(ran))) and len(ran) + len(dropped) == 20 and len(ran) >= 4 and dropped
    bench.answers["Reset"] = ({"status": "Accepted"}, lambda: ran.append("plain"))
    await bench.receive(reset("x"))
    assert ran[-1] == "plain"


async def test_a_broken_message_is_a_warning_and_a_strange_one_is_not():
    bench = Bench()
    for message, warnings in (("{", 1), ([9, "1"], 1), ([2], 2)):
        await bench.receive(message)
        assert len(list(bench.log.lines(WARNING))) == warnings, message
    assert bench.sent == []


async def test_an_answer_on_its_way_beside_others_is_taken_by_its_own_call():
    bench = Bench()
    outcomes = {}

    async def ask(token):
        try:
            outcomes[token] = await bench.peer.call("Authorize", {"idTag": token}, 30, None, 5)
        except OSError as exc:
            outcomes[token] = type(exc)

    for token in ("A", "B", "C"):
        asyncio.create_task(ask(token))
        await settle()
    assert len(bench.sent) == 1
    await bench.clock.run_for(5_000)
    assert len(bench.sent) == 2  # the first one has given up its turn
    await bench.clock.run_for(5_000)
    assert len(bench.sent) == 3
    await bench.receive([3, bench.sent[1][1], {"idTagInfo": {"status": "Blocked"}}])
    await bench.clock.run_for(200)
    assert outcomes == {"B": {"idTagInfo": {"status": "Blocked"}}}
    await bench.receive([3, "other", {"idTagInfo": {"status": "Accepted"}}])
    await bench.clock.run_for(19_700)
    assert sorted(outcomes) == ["B"]
    await bench.clock.run_for(400)
    assert outcomes["A"] is RpcTimeout  # 30 s after it went out
    bench.peer.close()
    await bench.clock.run_for(200)
    assert outcomes["C"] is LinkDown


async def test_who_has_given_up_its_turn_hears_of_the_end_of_the_link():
    bench = Bench()
    outcomes = []

    async def ask(token):
        try:
            await bench.peer.call("Authorize", {"idTag": token}, 30, None, 5)
        except OSError as exc:
            outcomes.append(type(exc))

    for token in ("A", "B"):
        asyncio.create_task(ask(token))
        await settle()
    await bench.clock.run_for(6_000)
    bench.peer.close()
    await bench.clock.run_for(200)
    assert outcomes == [LinkDown, LinkDown]


async def test_answers_count_against_silence_however_they_come():
    bench = Bench()
    told = []
    bench.peer.timed_out.connect(told.append)
    for _ in range(2):
        await bench.begin(timeout_s=1)
        await bench.clock.run_for(1_000)
    assert told == [1, 2]
    task = await bench.begin()
    await bench.receive([3, bench.sent[-1][1], {"currentTime": NOW}])
    assert task.done()
    await bench.begin(timeout_s=1)
    await bench.clock.run_for(1_000)
    assert told == [1, 2, 1]
    # a late answer to an earlier transmission: the back-end is slow, not gone
    sent = Transmissions(lambda: None)
    await bench.begin(timeout_s=1, transmissions=sent)
    await bench.clock.run_for(1_000)
    assert told[-1] == 2
    await bench.receive([3, bench.sent[-1][1], {"currentTime": NOW}])
    await bench.begin(timeout_s=1)
    await bench.clock.run_for(1_000)
    assert told[-1] == 1


def test_an_id_that_is_a_number_has_255_digits_at_most():
    for digits, comes_back in ((36, True), (37, False), (255, False), (256, None)):
        bench = Bench()
        message = '[2,%s,"Reset",{"type":"Soft"}]' % ("1" * digits)
        event = Protocol(Rules(), lambda: "x").receive(message)
        kind = type(event).__name__
        assert kind == {True: "Call", False: "Refused", None: "Ignored"}[comes_back], digits
        assert bench.sent == []


def test_an_id_has_36_characters_at_most():
    protocol = Protocol(Rules(), lambda: "x")
    for message_id, kind in (("x" * 36, "Call"), ("x" * 37, "Refused"), ("", "Refused"), ("y", "Call")):
        assert type(protocol.receive(json.dumps([2, message_id, "Reset", {}]))).__name__ == kind


def test_each_message_id_is_another_one():
    ids = MessageIds()
    first = ids()
    assert len(first) <= 36 and first.endswith("-1") and len(first) == 18
    assert ids().endswith("-2") and MessageIds()()[:16] != first[:16]


def test_a_description_and_details_of_an_error_are_optional():
    protocol = Protocol(Rules(), lambda: "x")
    for message, code, description, details in (
        ([4, "1", "GenericError", "why", {"a": 1}], "GenericError", "why", {"a": 1}),
        ([4, "1", "GenericError", "why"], "GenericError", "why", {}),
        ([4, "1", "GenericError"], "GenericError", "", {}),
        ([4, "1"], "GenericError", "", {}),
        ([4, "1", 7, 8, 9], "GenericError", "", {}),
    ):
        error = protocol.receive(json.dumps(message)).error
        assert (error.code, error.description, error.details) == (code, description, details)
