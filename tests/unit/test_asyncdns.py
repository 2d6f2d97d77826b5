"""Name look-ups: a slow name server holds nobody, its absence costs nothing that is known."""

import _thread
import asyncio
import time

from asyncdns import Resolver, is_address
from harness import raises

ANSWER = [(2, 1, 6, "", ("192.0.2.1", 80))]
MOVED = [(2, 1, 6, "", ("192.0.2.2", 80))]


class Server:
    """A look-up that takes `seconds` of real time and fails when told to."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.asked = []
        self.answered = 0
        self.answer = ANSWER
        self.up = True

    def __call__(self, host, port, family, kind):
        self.asked.append(host)
        answer = self.answer
        time.sleep(self.seconds)
        if not self.up:
            raise OSError(-3)
        self.answered += 1
        return answer


async def ticks(count):
    while True:
        count[0] += 1
        await asyncio.sleep(0.01)


async def test_a_slow_look_up_does_not_hold_the_scheduler():
    count = [0]
    ticking = asyncio.create_task(ticks(count))
    assert await Resolver(Server(0.3))("host.example", 80) == ANSWER
    ticking.cancel()
    assert count[0] >= 15


async def test_addresses_need_no_name_server_and_no_thread():
    threads = []

    def lookup(*args):
        threads.append(_thread.get_ident())
        return ANSWER

    assert await Resolver(lookup)("192.0.2.1", 80) == ANSWER
    assert threads == [_thread.get_ident()]
    assert is_address("0.0.0.0") and is_address("255.255.255.255")
    for name in ("host.example", "1.example", "192.168.1.300", "192.168.1", "1.2.3.4.5", "1.2..3", "7", "2001:db8::1"):
        assert not is_address(name)


async def test_failure_is_an_oserror_that_names_the_host():
    server = Server()
    server.up = False
    with raises(OSError) as caught:
        await Resolver(server)("host.example", 80)
    assert "host.example" in str(caught.value)


async def test_the_newest_answer_outlives_the_name_server():
    server = Server()
    resolve = Resolver(server)
    await resolve("host.example", 80)
    server.up = False
    assert await resolve("host.example", 80) == ANSWER
    with raises(OSError):
        await resolve("other.example", 80)


async def test_who_knows_an_address_does_not_wait_for_a_slow_name_server():
    server = Server()
    resolve = Resolver(server, patience_s=0.05)
    await resolve("host.example", 80)
    server.seconds, server.answer = 0.3, MOVED
    for _ in range(2):
        assert await resolve("host.example", 80) == ANSWER
    assert len(server.asked) == 2
    while server.answered < 2:
        await asyncio.sleep(0.01)
    server.up = False
    while await resolve("host.example", 80) != MOVED:  # what came too late is known now
        await asyncio.sleep(0.01)


async def test_cancelled_look_ups_do_not_pile_up():
    server = Server(0.2)
    resolve = Resolver(server)
    for _ in range(5):
        with raises(asyncio.TimeoutError):
            await asyncio.wait_for(resolve("host.example", 80), 0.01)
    assert await resolve("host.example", 80) == ANSWER
    assert len(server.asked) == 1


async def test_another_name_waits_for_its_turn():
    server = Server(0.1)
    resolve = Resolver(server)
    first = asyncio.create_task(resolve("one.example", 80))
    await asyncio.sleep(0)
    assert await resolve("two.example", 80) == ANSWER
    assert await first == ANSWER
    assert server.asked == ["one.example", "two.example"]
