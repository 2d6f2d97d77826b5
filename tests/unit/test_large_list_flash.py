# interpreters: micropython
"""A large SendLocalList on LittleFS: heap while it is worked on, power cuts at every write from its arrival on."""

import asyncio
import gc
import json
import time

from flash import files, format_flash, mounted, sweep
from harness import FakeClock, run

from firmware.kernel.log import Log
from firmware.ocpp.peer import Peer
from firmware.ocpp.protocol import Protocol
from firmware.ocpp.spool import Spool
from firmware.ocpp.v16.local_list import LocalList
from firmware.ocpp.v16.rules import Rules
from firmware.store.tags import TagList
from firmware.store.tokens import TokenInfo

SETTINGS = {
    "SupportedFeatureProfiles": ("Core", "LocalAuthListManagement"),
    "LocalAuthListEnabled": True,
    "LocalAuthListFullMaxLength": 9_000,
    "SendLocalListMaxLength": 700,
}
BUDGET = 32 * 1024  # bytes of heap, though meant for a 32-bit build: here every pointer takes twice as much


class Back:
    """A back-end that sends lists to a station's Peer over nothing."""

    def __init__(self, path):
        self.clock = FakeClock()
        self.tags = TagList(path + "/tags")
        self.spool = Spool(path + "/large", Rules.streamed, self.clock)
        self.profile = LocalList(self.tags, SETTINGS, Log(self.clock))
        self.answers = []
        protocol = Protocol(Rules(), None)
        self.peer = Peer(self, protocol, self._handle, lambda: False, Log(self.clock), self.clock)

    async def send(self, text):
        self.answers.append(json.loads(text))

    def _handle(self, action, payload):
        return self.profile.send_local_list(payload)

    async def push(self, version, full, tokens, turn=None):
        """Sends a list as the WebSocket would; calls `turn` whenever the station leaves the others a turn."""
        message = self.spool.begin(True, 200 + 120 * len(tokens))
        kind = "Full" if full else "Differential"
        message.write(b'[2,"1","SendLocalList",{"listVersion":%d,"updateType":"%s",' % (version, kind.encode()))
        message.write(b'"localAuthorizationList":[')
        for i, number in enumerate(tokens):
            message.write(b"," * (i > 0) + item(number))
            if turn and i % 10 == 0:
                turn()
        message.write(b"]}]")
        await self.peer.receive_large(message)
        while not self.answers:
            await asyncio.sleep(0)
            if turn:
                turn()
        for _ in range(200):  # the files of the message go one by one, after the answer
            await asyncio.sleep(0)
        return self.answers.pop()


def item(number):
    token = "%08X" % (number * 2_654_435_761 % 4_294_967_296)
    text = (
        '{"idTag":"%s","idTagInfo":{"status":"Accepted","expiryDate":"2040-01-01T00:00:00Z","parentIdTag":"FLEET%d"}}'
    )
    return (text % (token, number % 7)).encode()


class Heap:
    """The most heap that is in use besides what was at the beginning; looks at every so many turns."""

    def __init__(self, every):
        self._every = every
        self.turns = 0
        gc.collect()
        self._begin = gc.mem_alloc()
        self.most = 0
        self.longest_ms = 0
        self._last = None

    def __call__(self):
        now = time.ticks_ms()
        if self._last is not None:
            self.longest_ms = max(self.longest_ms, time.ticks_diff(now, self._last))
        self.turns += 1
        if self.turns % self._every == 0:
            gc.collect()
            self.most = max(self.most, gc.mem_alloc() - self._begin)
        self._last = time.ticks_ms()


def test_nine_thousand_tags_within_32_kb_of_heap():
    flash = format_flash(512)
    with mounted(flash) as path:
        back = Back(path)
        back.tags.replace(1, (("OLD%d" % i, TokenInfo("accepted")) for i in range(9_000)))
        run(back.push(2, True, range(100)))  # what is kept for ever is there from now on
        run(back.push(3, False, range(100, 200)))
        flash.clear_counters()
        heap = Heap(97)
        begun = time.ticks_ms()
        assert run(back.push(4, True, range(9_000), heap))[2] == {"status": "Accepted"}
        took_ms = time.ticks_diff(time.ticks_ms(), begun)
        print("%d bytes of heap, %d ms, longest step %d ms" % (heap.most, took_ms, heap.longest_ms))
        print("%d erases, %d bytes programmed" % (flash.erases, flash.programmed))
        assert len(back.tags) == 9_000 and back.tags.version == 4
        assert heap.most < BUDGET
        assert heap.turns > 10_000  # others have a turn at least after each tag
        flash.clear_counters()
        heap = Heap(97)
        assert run(back.push(5, False, range(8_500, 9_200), heap))[2] == {"status": "Accepted"}
        print("700 changes: %d bytes of heap, %d erases" % (heap.most, flash.erases))
        assert len(back.tags) == 9_200 and flash.erases < 60
        assert files(path) == ["tags", "tags.changes"]
        back.tags.close()


def test_every_power_cut_leaves_the_old_or_the_new_list():
    lists = {1: range(20), 2: range(100, 232), 3: range(100, 240)}

    def prepare(path):
        back = Back(path)
        assert run(back.push(1, True, lists[1]))[2] == {"status": "Accepted"}
        back.tags.close()

    def act(path, promise):
        back = Back(path)
        for version, full, tokens in ((2, True, lists[2]), (3, False, range(230, 240))):
            answer = run(back.push(version, full, tokens))
            if answer[2] != {"status": "Accepted"}:
                raise OSError(5)  # the flash is off
            promise(version)

    def check(path, promises):
        done = promises[-1] if promises else 1
        back = Back(path)
        version = back.tags.version
        assert version in (done, done + 1) and not back.tags.damaged
        assert len(back.tags) == len(lists[version])
        for number in range(0, 270, 13):
            found = back.tags.get("%08x" % (number * 2_654_435_761 % 4_294_967_296))
            assert (found is not None) == (number in lists[version])
        assert set(files(path)) <= {"tags", "tags.changes"}  # nothing is left of the message
        back.tags.close()

    cuts = sweep(prepare, act, check)
    print("%d cuts" % cuts)
    assert cuts > 100
