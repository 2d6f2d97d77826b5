"""Messages kept in flash: worked on piece by piece, read as a whole, or refused (OCPP-J 1.6 §4)."""

import asyncio
import gc
import json
import os

from folder import fresh_folder
from harness import FakeClock, raises, settle

import firmware.ocpp.large as large_module
from firmware.kernel.log import Log
from firmware.ocpp.errors import CallError, InvalidAnswer
from firmware.ocpp.peer import Peer
from firmware.ocpp.protocol import Protocol
from firmware.ocpp.spool import Spool
from firmware.ocpp.v16.rules import Rules


class Bench:
    """A Peer and a Spool without a socket. SendLocalList is answered when `go` is set; `lists` has what came in it."""

    def __init__(self):
        self.folder = fresh_folder()
        self.clock = FakeClock()
        self.spool = Spool(self.folder + "/large", Rules.streamed, self.clock)
        self.sent = []
        self.lists = []
        self.go = asyncio.Event()
        self.go.set()
        self.connect()

    def connect(self):
        protocol = Protocol(Rules(), lambda: "ours")
        self.peer = Peer(self, protocol, self._handle, lambda: False, Log(self.clock), self.clock)

    async def send(self, text):
        self.sent.append(json.loads(text))

    async def _handle(self, action, payload):
        if action != "SendLocalList":
            return {"status": "Accepted"}
        await self.go.wait()
        found = []
        for item in payload.get("localAuthorizationList") or ():
            found.append(item)
            await asyncio.sleep(0)
        payload["localAuthorizationList"] = found
        self.lists.append(payload)
        return {"status": "Accepted"}

    def arrive(self, text, announced=None, piece=700):
        data = text.encode() if isinstance(text, str) else text
        message = self.spool.begin(True, announced or len(data))
        for at in range(0, len(data), piece):
            message.write(data[at : at + piece])
        return message

    async def receive(self, text, rounds=400):
        await self.peer.receive_large(self.arrive(text))
        await settle(rounds)

    def files(self):
        return os.listdir(self.folder)


def call(entries, message_id="1", **fields):
    """Returns a SendLocalList; the list comes last."""
    payload = {"listVersion": 1, "updateType": "Full"}
    payload.update(fields)
    head = json.dumps([2, message_id, "SendLocalList", payload])[:-2]
    return '%s, "localAuthorizationList": %s}]' % (head, json.dumps(entries))


def entries(count):
    return [{"idTag": "T%d" % i, "idTagInfo": {"status": "Accepted"}} for i in range(count)]


async def test_a_list_is_handed_over_item_by_item_wherever_it_stands():
    bench = Bench()
    for order in ("listVersion updateType localAuthorizationList", "localAuthorizationList listVersion updateType"):
        payload = {"listVersion": 5, "updateType": "Full", "localAuthorizationList": entries(50)}
        fields = ",".join('"%s": %s' % (name, json.dumps(payload[name])) for name in order.split())
        await bench.receive(' [ 2 , "x" , "SendLocalList" , { %s, "unknown": [1, {"a": []}] } ] ' % fields)
        assert bench.sent.pop() == [3, "x", {"status": "Accepted"}]
        got = bench.lists.pop()
        assert got["localAuthorizationList"] == entries(50) and got["listVersion"] == 5 and "unknown" not in got
    assert bench.files() == []


async def test_a_message_in_several_files_goes_while_it_is_read():
    bench = Bench()
    bench.go.clear()
    many = entries(3000)
    await bench.receive(call(many))
    await settle(2000)
    assert len(bench.files()) == 3
    bench.go.set()
    await settle(2900)
    assert len(bench.files()) == 1  # only the last part is needed
    await settle(2000)
    assert bench.lists[0]["localAuthorizationList"] == many and bench.files() == []


async def test_other_calls_are_answered_meanwhile():
    bench = Bench()
    bench.go.clear()
    await bench.receive(call(entries(20), "slow"))
    await bench.peer.receive('[2, "quick", "ClearCache", {}]')
    await settle()
    assert bench.sent == [[3, "quick", {"status": "Accepted"}]]
    for same in ('[2, "slow", "ClearCache", {}]', None):
        if same:
            await bench.peer.receive(same)
            assert bench.sent.pop()[:3] == [4, "slow", "ProtocolError"]
    await bench.receive(call(entries(20), "second"))
    assert bench.sent.pop()[:3] == [4, "second", "GenericError"]  # one large message at a time
    bench.go.set()
    await settle(100)
    assert bench.sent.pop() == [3, "slow", {"status": "Accepted"}]
    await bench.receive(call(entries(20), "third"))
    assert bench.sent.pop() == [3, "third", {"status": "Accepted"}]


async def test_what_is_wrong_is_refused_with_its_place():
    bench = Bench()
    long = {"idTag": "x" * 21}
    for text, code, words in (
        (call(entries(9) + [long]), "PropertyConstraintViolation", "localAuthorizationList[9].idTag"),
        (call([7]), "TypeConstraintViolation", "localAuthorizationList[0]"),
        (call({}), "TypeConstraintViolation", "localAuthorizationList"),
        (call([], listVersion="1"), "TypeConstraintViolation", "listVersion"),
        (call([], updateType=None), "OccurenceConstraintViolation", "updateType"),
        (call(entries(3))[:-3], "FormationViolation", ""),
        (call(entries(3)) + "x", "FormationViolation", ""),
        (call(entries(3)).replace("}}]}]", "}},]}]"), "FormationViolation", ""),
        (call(entries(3)).replace("}}]}]", '}}],"localAuthorizationList":[]}]'), "FormationViolation", "twice"),
        (call([[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]), "FormationViolation", "nested"),
        (call([], vendor="x" * 5000), "FormationViolation", "string of more"),
        ('[2,"1","SendLocalList",[]]', "FormationViolation", "object"),
        ('[2,"1","SendLocalList",{},1]', "FormationViolation", ""),
        ('[2,"%s","SendLocalList",{}]' % ("i" * 37), "FormationViolation", "message id"),
    ):
        await bench.receive(text)
        answer = bench.sent.pop()
        assert answer[0] == 4 and answer[2] == code and words in answer[3], (text[:80], answer)
        assert bench.sent == [] and bench.files() == [], text
    assert bench.lists == []


async def test_other_large_messages_are_read_as_a_whole_up_to_a_limit():
    bench = Bench()
    request = {"vendorId": "v", "data": "\u00e9" * 10_000}
    await bench.receive(json.dumps([2, "1", "DataTransfer", request]))
    assert bench.sent.pop() == [3, "1", {"status": "Accepted"}]
    request["data"] *= 4
    await bench.receive(json.dumps([2, "2", "DataTransfer", request]))
    assert bench.sent.pop()[:3] == [4, "2", "GenericError"]
    for nothing in ('{"a": 1}', "[2]", "", "[[2]]", "x" * 20_000, '[5,"1"]', '[2,null,"SendLocalList",{}]'):
        await bench.receive(nothing)
        assert bench.sent == [] and bench.files() == []
    await bench.receive('[2,7,"SendLocalList",{}]')  # O9: large or not, a number comes back
    assert bench.sent.pop()[:3] == [4, 7, "OccurenceConstraintViolation"]


async def test_what_nobody_will_read_is_not_written():
    # O13: of a message that is too large only the envelope is looked at, however it comes
    for text in (
        json.dumps([2, "1", "DataTransfer", {"vendorId": "v", "data": "x" * 1_500_000}]),
        json.dumps([3, "1", {"data": "x" * 1_500_000}]),
        "[" + "9," * 750_000,
        " " * 1_500_000,
    ):
        bench = Bench()
        message = bench.spool.begin(True, len(text))
        for at in range(0, 100_000, 1000):
            message.write(text[at : at + 1000].encode())
            assert bench.files() == []
        assert message.fault
    # In fragments, nobody knows how long it gets: what has been kept goes as soon as it is too large.
    message = bench.spool.begin(True, 9_000)
    text = json.dumps([2, "1", "DataTransfer", {"vendorId": "v", "data": "x" * 1_500_000}])
    for at in range(0, 100_000, 1000):
        message.write(text[at : at + 1000].encode())
        await settle(2)
        assert (len(bench.files()) == 1) == (at < 65_000)
    message = bench.spool.begin(True, 9_000)
    text = json.dumps([2, "1", "DataTransfer", {"vendorId": "v", "data": "x" * 40_000}])
    for at in range(0, len(text), 1000):
        message.write(text[at : at + 1000].encode())
    await bench.peer.receive_large(message)
    await settle(100)
    assert bench.sent.pop() == [3, "1", {"status": "Accepted"}]


async def test_files_go_one_by_one():
    # O13: 23 at once would hold the control task for 10 ms on the host, and longer on a board
    bench = Bench()
    await bench.peer.receive_large(bench.arrive(call(entries(9_000))[:-2]))
    most = longest = 0
    for _ in range(100_000):
        before = len(bench.files())
        await asyncio.sleep(0)
        most = max(most, before)
        longest = max(longest, before - len(bench.files()))
        if most and not before:
            break
    assert most > 5 and longest == 1 and bench.files() == []
    assert bench.sent.pop()[:3] == [4, "1", "FormationViolation"]


async def test_answers_to_our_calls():
    bench = Bench()
    for size, error in ((30_000, None), (90_000, InvalidAnswer)):
        task = asyncio.create_task(outcome_of(bench.peer.call("DataTransfer", {"vendorId": "v"}, 30)))
        await settle()
        bench.sent.clear()
        await bench.receive(json.dumps([3, "ours", {"status": "Accepted", "data": "x" * size}]))
        outcome = await task
        assert bench.sent == [] and (type(outcome) is error if error else outcome["status"] == "Accepted")


async def outcome_of(call):
    try:
        return await call
    except CallError as exc:
        return exc


async def test_what_the_flash_has_no_room_for_is_refused_and_leaves_nothing():
    bench = Bench()
    await bench.peer.receive_large(bench.arrive(call(entries(30)), announced=1 << 50))
    await settle()
    assert bench.sent.pop()[:3] == [4, "1", "GenericError"] and bench.files() == []
    message = bench.spool.begin(True, 100)
    message.write(call(entries(2)).encode() + b" " * 65_536)
    (written,) = bench.files()
    in_the_way = bench.folder + "/" + written[:-1] + "1"  # where the next file of the message would be
    os.mkdir(in_the_way)
    message.write(b" " * 1000)
    os.rmdir(in_the_way)
    await bench.peer.receive_large(message)
    await settle()
    assert bench.sent.pop()[:3] == [4, "1", "GenericError"] and bench.files() == []
    await bench.receive(call(entries(2)))
    assert bench.sent.pop() == [3, "1", {"status": "Accepted"}]


async def test_a_message_must_arrive_in_time():
    bench = Bench()
    message = bench.spool.begin(True, 100_000)
    message.write(b"[2,")
    bench.clock.advance(301_000)
    with raises(OSError):  # which ends the link
        message.write(b'"1"')
    bench.spool.abandon()
    await settle()
    assert bench.files() == []


async def test_nothing_is_left_of_a_link_that_ended():
    bench = Bench()
    bench.arrive(call(entries(20)))
    bench.spool.abandon()  # while it arrived
    await settle()
    assert bench.files() == []
    bench.go.clear()
    for rounds in (0, 100):  # before work on it has begun, and in the middle
        await bench.peer.receive_large(bench.arrive(call(entries(20))))
        await settle(rounds)
        bench.peer.close()
        await settle()
        assert bench.files() == []
        bench.connect()
    bench.go.set()
    await bench.receive(call(entries(20)))
    assert len(bench.lists) == 1
    with open(bench.folder + "/large.3", "wb") as f:
        f.write(b"left by a power cut")
    Spool(bench.folder + "/large", Rules.streamed, bench.clock)
    assert bench.files() == []


async def test_binary_messages_are_taken_nowhere():
    bench = Bench()
    message = bench.spool.begin(False, 100_000)
    message.write(b"\x00" * 1000)
    await bench.peer.receive_large(message)
    assert bench.sent == [] and bench.files() == [] and str(message) == "?" * 80 + "... (1000 bytes)"


class Room:
    """`with Room(bytes) as room:` the flash has so much left (`room.free`); `room.asked` counts the questions."""

    def __init__(self, free):
        self.free = free
        self.asked = 0

    def __enter__(self):
        self._before = large_module.free_bytes
        large_module.free_bytes = self._free_bytes
        return self

    def __exit__(self, *exc_info):
        large_module.free_bytes = self._before

    def _free_bytes(self, path):
        self.asked += 1
        return self.free


MARGIN = 131_072  # that is left to the journal


def head(size):
    """Returns the beginning of a list in a message of `size` bytes."""
    return call([]).encode()[:-3] + b" " * size


async def test_room_is_asked_for_what_was_announced_and_then_in_steps():
    for announced, free, fits in (
        (100_000, 100_000 + MARGIN, True),
        (100_000, 99_999 + MARGIN, False),
        (9_000, 9_000 + MARGIN, True),
    ):
        bench = Bench()
        with Room(free) as room:
            message = bench.spool.begin(True, announced)
            assert (message.fault is None) == fits and room.asked == 1
    bench = Bench()
    with Room(1 << 30) as room:  # a fragment: nobody knows how long it gets
        message = bench.spool.begin(True, 1_000)
        text = head(200_000)
        message.write(text[:1_000])
        assert room.asked == 1
        message.write(text[1_000:1_001])
        assert room.asked == 2  # for another 64 KB
        message.write(text[1_001:66_536])
        assert room.asked == 2
        message.write(text[66_536:66_537])
        assert room.asked == 3
        message.write(text[66_537 : 66_537 + 65_536])  # a part that is longer than a step
        assert room.asked == 4 and not message.fault
        # what it has written already is no longer free
        room.free = MARGIN + 65_536 - 1
        message.write(text[:65_536])
        assert message.fault == "no room for a message of %d bytes" % (66_537 + 3 * 65_536 - 65_536)


async def test_files_that_are_about_to_go_count_as_room():
    bench = Bench()
    with Room(MARGIN + 100_000) as room:
        message = bench.spool.begin(True, 100_000)
        message.write(head(70_000))
        message.write(head(70_000))
        assert len(bench.files()) == 2 and bench.spool.leaving == 0
        bench.spool._sweeper = True  # it has not begun
        message.discard()
        assert bench.spool.leaving == 2 * 65_536
        message.discard()
        assert bench.spool.leaving == 2 * 65_536  # once
        room.free = MARGIN
        assert not bench.spool.begin(True, 131_072).fault


def test_the_beginning_stays_in_ram_and_no_more():
    bench = Bench()
    message = bench.spool.begin(True, 5_000)
    text = head(2_000)
    for at in range(0, 1_000, 100):
        message.write(text[at : at + 100])
    assert message.head == text[:512] and message.size == 1_000
    message = bench.spool.begin(True, 5_000)
    message.write(text)
    assert message.head == text[:512]


def test_a_message_is_shown_by_its_beginning_in_printable_characters():
    bench = Bench()
    message = bench.spool.begin(True, 5_000)
    message.write(b"\x1f ~\x7f\xc3a" + b"x" * 100)
    assert str(message) == "? ~??a" + "x" * 74 + "... (106 bytes)"


def test_a_message_has_five_minutes_to_arrive():
    bench = Bench()
    message = bench.spool.begin(True, 5_000)
    bench.clock.advance(300_000)
    message.write(b"[2,")
    bench.clock.advance(1)
    with raises(OSError):
        message.write(b'"1"')


async def test_up_to_64_kilobytes_are_kept_of_what_is_read_as_a_whole():
    for size, kept in ((65_536, True), (65_537, False)):
        bench = Bench()
        message = bench.spool.begin(True, 100)
        text = json.dumps([2, "1", "DataTransfer", {"vendorId": "v", "data": "x" * 70_000}]).encode()
        for at in range(0, size, 1_000):
            message.write(text[at : min(size, at + 1_000)])
        assert (message.fault is None) == kept and message.size == size and not message.streamed


async def test_a_message_that_is_not_complete_goes_with_its_link_and_one_in_work_does_not():
    bench = Bench()
    message = bench.arrive(call(entries(3)))
    message.finish()
    bench.spool.abandon()
    await settle()
    assert len(bench.files()) == 1
    message.discard()
    bench.spool.abandon()  # nothing arrives
    await settle()
    assert bench.files() == []


async def test_a_file_that_is_gone_is_an_error_and_no_shorter_message():
    bench = Bench()
    message = bench.arrive(json.dumps([2, "1", "DataTransfer", {"vendorId": "v", "data": "x" * 9_000}]))
    message.finish()
    assert len(json.loads(await message.text())[3]["data"]) == 9_000
    (name,) = bench.files()
    with open(bench.folder + "/" + name, "wb") as f:
        f.write(b"[2,")
    with raises(OSError):
        await message.text()
    assert bench.files() == [name]  # reading removes nothing


async def test_a_message_is_read_while_others_run():
    bench = Bench()
    message = bench.arrive("x" * 40_000)
    message.finish()
    task = asyncio.create_task(message.text())
    rounds = 0
    while not task.done():
        await asyncio.sleep(0)
        rounds += 1
    assert 39 <= rounds <= 42  # a kilobyte at a time


async def test_no_file_stays_open():
    gc.collect()  # of other tests
    bench = Bench()
    before = len(os.listdir("/proc/self/fd"))
    for text in (
        call(entries(1400)),
        call(entries(1400))[:-2],
        json.dumps([2, "1", "DataTransfer", {"vendorId": "v"}]),
    ):
        await bench.receive(text)
        await settle(4_000)
        assert bench.files() == [] and len(os.listdir("/proc/self/fd")) <= before
    bench.arrive(call(entries(1400)))
    bench.spool.abandon()
    await settle()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_the_envelope_is_read_from_the_beginning():
    assert large_module.envelope(b' [2, "1", "Reset", {"type"') == (2, "1", "Reset")
    assert large_module.envelope(b'[3, "1", {"status": "x"}]') == (3, "1", None)
    assert large_module.envelope(b'[2, "1", {"a"') == (2, "1", None)
    for wrong in (b'{"2": ["1"]}', b'"[2"', b'[["2"], "1"]', b"[2]", b""):
        with raises(ValueError):
            large_module.envelope(wrong)


async def test_items_are_counted_whatever_is_in_them():
    bench = Bench()
    for items in ([], [1], [1, "a", None, [], {}], [[1, [2]], {"a": [{"b": 1}]}, [[]]], [{"a": 1, "b": {"c": []}}] * 3):
        message = bench.arrive(call(items))
        message.finish()

        class Anything:
            def accept(self, action, payload):
                pass

            def accept_item(self, action, name, item, index):
                pass

        payload = await message.payload("SendLocalList", Anything())
        found = payload["localAuthorizationList"]
        assert len(found) == len(items) and list(found) == items and found.size == message.size
        message.discard()
        await settle()


async def test_names_of_files_that_are_not_the_spools_stay():
    folder = fresh_folder()
    for name in ("large.1", "large.2.0", "larger", "large"):
        with open(folder + "/" + name, "wb") as f:
            f.write(b"x")
    Spool(folder + "/large", Rules.streamed, FakeClock())
    assert sorted(os.listdir(folder)) == ["large", "larger"]
