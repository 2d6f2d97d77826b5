"""lib/modbus_rtu above a line in memory: framing, exceptions, retries, noise (Modbus over Serial Line V1.02)."""

import asyncio
import time

from harness import MemoryStream, raises
from modbus_rtu import ModbusError, RtuMaster, crc16, seal


class Line(MemoryStream):
    """A serial line as an asyncio stream. `answers` are sent one by one, each after one request; None is silence."""

    def __init__(self, *answers, stale=b""):
        super().__init__(stale)
        self.answers = list(answers)
        self.requests = []
        self.log = []

    def write(self, data):
        self.requests.append(bytes(data))
        self.log.append("write")
        answer = self.answers.pop(0) if self.answers else None
        if answer:
            self.arrive(answer)


def master(line, **options):
    return RtuMaster(line, baudrate=115_200, timeout_ms=30, **options)


REPLY = seal(b"\x01\x04\x04\x12\x34\x56\x78")


def test_crc_of_a_known_frame():
    assert crc16(b"123456789") == 0x4B37  # the check value of CRC-16/MODBUS
    assert seal(b"\x01\x04\x00\x00\x00\x02") == b"\x01\x04\x00\x00\x00\x02\x71\xcb"
    assert crc16(REPLY) == 0


async def test_read_input_sends_function_4_and_returns_the_registers():
    line = Line(REPLY)
    assert await master(line).read_input(1, 0, 2) == b"\x12\x34\x56\x78"
    assert line.requests == [b"\x01\x04\x00\x00\x00\x02\x71\xcb"]


async def test_read_holding_sends_function_3():
    line = Line(seal(b"\x11\x03\x02\xab\xcd"))
    assert await master(line).read_holding(17, 0x5B00, 1) == b"\xab\xcd"
    assert line.requests[0][:6] == b"\x11\x03\x5b\x00\x00\x01"


async def test_writes_are_confirmed_by_their_echo():
    line = Line(seal(b"\x01\x06\x00\x10\x02\x00"), seal(b"\x01\x10\x00\x20\x00\x02"))
    server = master(line)
    await server.write_single(1, 0x10, 512)
    await server.write_multiple(1, 0x20, b"\x00\x01\x00\x02")
    assert line.requests[0] == seal(b"\x01\x06\x00\x10\x02\x00")
    assert line.requests[1] == seal(b"\x01\x10\x00\x20\x00\x02\x04\x00\x01\x00\x02")


async def test_an_exception_names_its_code_and_is_not_repeated():
    line = Line(seal(b"\x01\x84\x02"), REPLY)
    with raises(ModbusError) as caught:
        await master(line, retries=3).read_input(1, 0, 2)
    assert caught.value.code == 2
    assert "exception 2" in str(caught.value)
    assert len(line.requests) == 1


async def test_busy_is_repeated():
    line = Line(seal(b"\x01\x84\x06"), REPLY)
    assert await master(line, retries=1).read_input(1, 0, 2) == b"\x12\x34\x56\x78"
    assert len(line.requests) == 2


async def test_silence_is_repeated_then_reported_as_an_oserror_without_code():
    line = Line()
    with raises(OSError) as caught:
        await master(line, retries=2).read_input(1, 0, 2)
    assert isinstance(caught.value, ModbusError) and caught.value.code is None
    assert len(line.requests) == 3


class Held(Line):
    """Another task holds the scheduler from the request on; when the time has run out the reply can be read."""

    async def drain(self):
        asyncio.create_task(self._hold())

    async def _hold(self):
        time.sleep(0.05)
        for i in range(len(REPLY)):
            self.arrive(REPLY[i : i + 1])
            await asyncio.sleep(0)


async def test_a_reply_that_came_while_the_scheduler_was_held_counts():
    assert await master(Held(), retries=0).read_input(1, 0, 2) == b"\x12\x34\x56\x78"


async def test_a_damaged_reply_is_not_believed():
    damaged = bytearray(REPLY)
    damaged[4] ^= 1
    line = Line(bytes(damaged), REPLY)
    assert await master(line, retries=1).read_input(1, 0, 2) == b"\x12\x34\x56\x78"
    assert len(line.requests) == 2


async def test_replies_of_other_units_functions_and_lengths_are_passed_over():
    others = (b"\x02\x04\x04\x00\x00\x00\x00", b"\x01\x03\x04\x00\x00\x00\x00", b"\x01\x04\x02\x00\x00")
    line = Line(b"".join(seal(body) for body in others) + REPLY)
    assert await master(line).read_input(1, 0, 2) == b"\x12\x34\x56\x78"


async def test_a_reply_after_noise_is_found():
    assert await master(Line(b"\x00\x01\x04\x04\xff" + REPLY)).read_input(1, 0, 2) == b"\x12\x34\x56\x78"


async def test_a_late_reply_does_not_answer_the_next_request():
    late = seal(b"\x01\x04\x04\x00\x00\x00\x01")
    line = Line(REPLY, stale=late)
    assert await master(line).read_input(1, 0, 2) == b"\x12\x34\x56\x78"


async def test_requests_of_several_tasks_take_turns():
    line = Line(seal(b"\x01\x04\x02\x00\x01"), seal(b"\x02\x04\x02\x00\x02"), seal(b"\x03\x04\x02\x00\x03"))
    server = master(line)
    results = await asyncio.gather(*[server.read_input(unit, 0, 1) for unit in (1, 2, 3)])
    assert results == [b"\x00\x01", b"\x00\x02", b"\x00\x03"]


async def test_a_cancelled_request_leaves_the_line_usable():
    line = Line(None, REPLY)
    server = RtuMaster(line, baudrate=115_200, timeout_ms=5000)
    request = asyncio.create_task(server.read_input(1, 0, 2))
    while not line.requests:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    request.cancel()
    try:
        await request
    except asyncio.CancelledError:
        pass
    assert await server.read_input(1, 0, 2) == b"\x12\x34\x56\x78"


class Babble(Line):
    """A line on which somebody never stops sending."""

    async def read(self, n):
        await asyncio.sleep(0)
        return b"\x01\x04\x04" * (n // 3)


async def test_a_line_that_is_never_silent_is_an_error_and_nothing_is_sent():
    line = Babble()
    with raises(ModbusError) as caught:
        await master(line, retries=0).read_input(1, 0, 2)
    assert caught.value.code is None
    assert line.requests == []


class BabbleAfterRequest(Line):
    async def read(self, n):
        if not self.requests:
            return await Line.read(self, n)
        await asyncio.sleep(0)
        return b"\x01\x04\x04" * (n // 3)


async def test_endless_noise_instead_of_a_reply_is_an_error():
    with raises(ModbusError) as caught:
        await master(BabbleAfterRequest(), retries=0).read_input(1, 0, 2)
    assert caught.value.code is None


async def test_a_closed_line_is_an_error():
    class Closed(Line):
        async def read(self, n):
            return b""

    with raises(ModbusError):
        await master(Closed()).read_input(1, 0, 2)


class Port:
    """A UART that takes `most` bytes at a time, and has sent all after `looks` looks; None: never."""

    def __init__(self, line, most=256, looks=3):
        self.line = line
        self.most = most
        self.looks = looks
        self.taken = b""

    def write(self, data):
        self.line.log.append("write")
        part = bytes(data[: self.most])
        self.taken += part
        if len(self.taken) == 8:
            self.line.write(self.taken)
            self.line.log.pop()
        return len(part) or None

    def txdone(self):
        if self.looks is None:
            return False
        self.looks -= 1
        if self.looks < 0:
            self.line.log.append("done")
            return True
        return False


async def test_direction_pin_drives_the_line_only_around_the_request():
    line = Line(REPLY)
    await master(line, direction=line.log.append, port=Port(line)).read_input(1, 0, 2)
    assert line.log == [True, "write", "done", False]
    assert line.requests == [b"\x01\x04\x00\x00\x00\x02\x71\xcb"]


async def test_nothing_else_runs_while_the_direction_pin_drives_a_fast_line():
    """A task that is only slow may come back after the reply has begun."""
    line = Line(REPLY)

    async def other():
        while True:
            line.log.append("other")
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await master(line, direction=line.log.append, port=Port(line)).read_input(1, 0, 2)
    task.cancel()
    begin = line.log.index(True)
    assert "other" in line.log[:begin] and "other" not in line.log[begin : line.log.index(False)]


async def test_a_uart_that_takes_a_request_in_pieces_gets_all_of_it():
    line = Line(REPLY)
    port = Port(line, most=3)
    await master(line, direction=line.log.append, port=port).read_input(1, 0, 2)
    assert port.taken == b"\x01\x04\x00\x00\x00\x02\x71\xcb"


async def test_direction_pin_is_released_when_the_request_does_not_leave():
    for port in (Port(Line(), looks=None), Port(Line(), most=0)):
        line = Line()
        with raises(ModbusError) as caught:
            await master(line, retries=0, direction=line.log.append, port=port).read_input(1, 0, 2)
        assert "does not leave" in str(caught.value) and line.log == [True, False]


async def test_direction_pin_is_released_when_the_port_fails():
    class Broken(Port):
        def write(self, data):
            raise OSError(5)

    line = Line()
    with raises(OSError):
        await master(line, direction=line.log.append, port=Broken(line)).read_input(1, 0, 2)
    assert line.log == [True, False]


async def test_arguments_out_of_range_never_reach_the_line():
    line = Line()
    server = master(line)
    for unit, address, count in ((0, 0, 1), (248, 0, 1), (1, 0, 0), (1, 0, 126), (1, 70_000, 1), (1, -1, 1)):
        with raises(ValueError):
            await server.read_input(unit, address, count)
    with raises(ValueError):
        await server.write_single(1, 0, 65_536)
    for data in (b"", b"\x01", b"\x00" * 248):
        with raises(ValueError):
            await server.write_multiple(1, 0, data)
    with raises(TypeError):  # S4
        await server.write_multiple(1, 0, "text")
    assert line.requests == []


class Gateway(Line):
    """Unit 1 answers after 350 ms, as behind a gateway; unit 2 at once."""

    def write(self, data):
        self.requests.append(bytes(data))
        asyncio.create_task(self._answer(data[0]))

    async def _answer(self, unit):
        if unit == 1:
            await asyncio.sleep(0.35)
        self.arrive(REPLY if unit == 1 else seal(b"\x02" + REPLY[1:-2]))


async def test_a_slow_server_beside_a_quick_one_with_a_longer_time_out():
    """M6: a gateway takes 350 ms."""
    line = Gateway()
    server = RtuMaster(line, baudrate=115_200, timeout_ms=600)
    both = await asyncio.gather(server.read_input(1, 0, 2), server.read_input(2, 0, 2))
    assert list(both) == [b"\x12\x34\x56\x78"] * 2 and len(line.requests) == 2
