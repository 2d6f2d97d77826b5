"""kernel/console: the log on a console that is fast, slow, blocked or not there; nothing waits for it."""

import asyncio

from harness import FakeClock, run, settle

from firmware.kernel.console import Console
from firmware.kernel.log import Log


class Stream:
    """A console that takes `ms` for each write; `ready` False: it has no room."""

    def __init__(self, clock):
        self.clock = clock
        self.ms = 0
        self.ready = True
        self.pieces = []
        self.broken = False

    def write(self, piece):
        self.clock._virtual_ms += self.ms  # held: nobody else wakes meanwhile
        if self.broken:
            raise OSError(5)
        self.pieces.append(piece)

    @property
    def text(self):
        return "".join(self.pieces)


class Poller:
    def register(self, stream, events):
        self.stream = stream

    def poll(self, timeout):
        return [self.stream] if self.stream.ready else []


def on_console(body):
    """Runs body(clock, stream, console, log) with the console's task."""

    async def scenario():
        clock = FakeClock()
        stream = Stream(clock)
        console = Console(stream, clock.ms, lambda a, b: a - b, clock.sleep_ms, Poller)
        log = Log(clock, sink=console)
        task = asyncio.create_task(console.run(lambda: None))
        await settle()
        await body(clock, stream, console, log)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass

    run(scenario())


def test_lines_come_out_whole_and_in_order():
    async def body(clock, stream, console, log):
        for n in range(20):
            log.info("area", "line %d of a text that is longer than a piece, %s", n, "äöü" * n)
        assert stream.pieces == []  # whoever logs does not wait for the console
        await clock.run_for(3_000)
        lines = stream.text.split("\n")
        assert len(lines) == 21 and lines[-1] == ""
        for n in range(20):
            assert "info    area: line %d of" % n in lines[n] and lines[n].endswith("äöü" * n)
        assert console.lost == 0

    on_console(body)


def test_a_uart_gets_no_more_than_it_sends():
    """115 200 baud are 11.5 characters a millisecond."""

    async def body(clock, stream, console, log):
        for _ in range(20):
            log.info("area", "x" * 150)
        for _ in range(50):
            before = len(stream.text)
            await clock.run_for(10)
            assert len(stream.text) - before <= 2 * 32
        assert max([len(piece) for piece in stream.pieces]) <= 32

    on_console(body)


def test_a_console_without_room_holds_nobody_and_what_does_not_fit_is_counted():
    async def body(clock, stream, console, log):
        stream.ready = False
        for _ in range(100):
            log.info("area", "x" * 100)
        await clock.run_for(5_000)
        assert stream.pieces == [] and 40 < console.lost < 100
        lost = console.lost
        stream.ready = True
        await clock.run_for(5_000)
        assert stream.text.count("\n") == 100 - lost
        log.info("area", "again")
        await clock.run_for(1_000)
        assert "\n%d lines lost\n" % lost in stream.text and stream.text.endswith("area: again\n")
        assert console.lost == 0

    on_console(body)


def test_a_console_that_stalls_does_so_once_and_is_left_alone_for_longer_each_time():
    async def body(clock, stream, console, log):
        stream.ms = 500  # a USB host that does not read
        held = []
        for _ in range(4 * 60):
            log.info("area", "once a minute")
            before = len(stream.pieces)
            await clock.run_for(60_000)
            held.append(len(stream.pieces) - before)
        assert max(held) == 1 and sum(held) <= 9, held  # after 0, 1, 3, 7, 15, 31, 63 minutes, then each hour
        assert console.lost
        stream.ms = 0
        lost = console.lost
        await clock.run_for(3_600_000)
        log.info("area", "again")
        await clock.run_for(1_000)
        assert stream.text.endswith("area: again\n") and "%d lines lost\n" % lost in stream.text
        stream.ms = 500
        log.info("area", "x")
        await clock.run_for(61_000)
        stream.ms = 0
        log.info("area", "a short stall")
        await clock.run_for(1_000)
        assert stream.text.endswith("a short stall\n")

    on_console(body)


def test_a_console_that_is_not_there_is_no_error():
    async def body(clock, stream, console, log):
        stream.broken = True
        log.info("area", "lost")
        await clock.run_for(1_000)
        stream.broken = False
        log.info("area", "there")
        await clock.run_for(1_000)
        assert stream.text.endswith("area: there\n")

    on_console(body)


def test_the_rest_comes_out_at_the_end():
    clock = FakeClock()
    stream = Stream(clock)
    console = Console(stream, clock.ms, lambda a, b: a - b, clock.sleep_ms, Poller)
    log = Log(clock, sink=console)
    log.error("app", "first")
    log.error("app", "why it ends")
    console.flush()
    assert stream.text.count("\n") == 2 and stream.text.endswith("app: why it ends\n")
