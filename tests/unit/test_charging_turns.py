"""Two users and a back-end that lets one of them wait (row O12)."""

import asyncio

from charging_bench import Bench

from firmware.store.tokens import TokenInfo


class SlowBackend:
    """Answers about each token after a time of its own, in ms; None: only when it is told to, see answer()."""

    online = may_start = True

    def __init__(self, clock, **delays):
        self._clock = clock
        self._delays = delays
        self._told = {}
        self.asked = []

    def answer(self, token, status="accepted"):
        self._told[token] = TokenInfo(status)

    async def authorize(self, token):
        self.asked.append(token)
        until_ms = self._clock.ms() + (self._delays.get(token, 100) or 30_000)
        while self._clock.ms() < until_ms and token not in self._told:
            await self._clock.sleep_ms(50)
        if token in self._told:
            return self._told[token]
        if self._delays.get(token, 100) is None:
            raise OSError("time-out")
        return TokenInfo("accepted")


class Scene:
    """`await scene.card(token)` shows a card; its outcome stands in `outcomes` once it is known."""

    def __init__(self, connectors=1, **delays):
        self.bench = Bench(connectors)
        self.backend = self.bench.station.operation.backend = SlowBackend(self.bench.clock, **delays)
        self.outcomes = {}
        self.told = []  # (token, status): what the light shows
        self.bench.station.authoriser.checked.connect(lambda token, status, source: self.told.append((token, status)))

    async def card(self, token, ms=500):
        asyncio.create_task(self._show(token))
        await self.bench.run(ms)

    async def _show(self, token):
        self.outcomes[token] = await self.bench.station.swipe(token)

    def users(self):
        return [c.transaction and c.transaction.token for c in self.bench.station.connectors]


async def test_o12_who_has_not_plugged_in_keeps_nobody_out():
    """O12: one connector; the second card is asked for, and who is accepted first may plug in."""
    scene = Scene(A=None)
    await scene.bench.run()
    await scene.card("A")
    await scene.card("B")
    assert scene.backend.asked == ["A", "B"] and scene.outcomes == {"B": "start"}
    scene.bench.plug()
    await scene.bench.run()
    assert scene.users() == ["B"]
    scene.backend.answer("A")  # late
    await scene.bench.run()
    assert scene.outcomes["A"] == "refused" and scene.users() == ["B"] and len(scene.bench.events) == 1


async def test_o12_the_plug_that_comes_while_both_wait_is_for_who_is_accepted_first():
    for first, last in (("A", "B"), ("B", "A")):
        scene = Scene(A=None, B=None)
        await scene.bench.run()
        await scene.card("A")
        await scene.card("B")
        scene.bench.plug()
        await scene.bench.run()
        assert scene.outcomes == {} and scene.users() == [None]
        scene.backend.answer(first)
        await scene.bench.run()
        scene.backend.answer(last)
        await scene.bench.run()
        assert scene.outcomes == {first: "start", last: "refused"} and scene.users() == [first]


async def test_o12_who_has_plugged_in_is_not_robbed():
    """O12: one connector, the first one's vehicle; the other card is refused within 5 s, not after MessageTimeout."""
    for plug_first in (True, False):
        scene = Scene(A=None)
        bench = scene.bench
        await bench.run()
        if plug_first:
            bench.plug()
        await scene.card("A")
        if not plug_first:
            bench.plug()
        await scene.card("B", 5_000)
        assert scene.outcomes == {"B": "refused"} and scene.backend.asked == ["A"]
        assert scene.told == [("B", "invalid")]
        scene.backend.answer("A")
        await bench.run()
        assert scene.users() == ["A"]


async def test_o12_the_other_card_is_asked_for_when_the_first_one_is_refused():
    scene = Scene(A=None)
    scene.bench.plug()
    await scene.bench.run()
    await scene.card("A")
    await scene.card("B", 2_000)
    assert scene.outcomes == {}
    scene.backend.answer("A", "invalid")
    await scene.bench.run()
    assert scene.outcomes == {"A": "refused", "B": "start"} and scene.users() == ["B"]


async def test_o12_two_connectors_both_users_have_their_own():
    """O12: in both orders of the plugs, and with the first answer coming late."""
    for mine, other in ((1, 2), (2, 1)):
        scene = Scene(2, A=None)
        bench = scene.bench
        await bench.run()
        bench.plug(mine)
        await scene.card("A")
        await scene.card("B")
        assert scene.outcomes == {"B": "start"}
        bench.plug(other)
        await bench.run()
        expected = ["A", "B"] if mine == 1 else ["B", "A"]
        assert scene.users() == [user if user == "B" else None for user in expected]
        scene.backend.answer("A")
        await bench.run()
        assert scene.users() == expected and len(bench.events) == 2


async def test_o12_the_vehicle_that_came_first_is_that_of_the_card_that_came_first():
    """O12: A was sent to connector 1 and has plugged in at 2; B must not get his vehicle."""
    scene = Scene(2, A=None)
    bench = scene.bench
    await bench.run()
    await scene.card("A")
    bench.plug(2)
    await bench.run()
    await scene.card("B")
    assert scene.outcomes == {"B": "start"} and scene.users() == [None, None]
    bench.plug(1)
    await bench.run()
    scene.backend.answer("A")
    await bench.run()
    assert scene.users() == ["B", "A"]


async def test_o12_the_plug_is_for_who_is_accepted_wherever_it_comes():
    """O12: A is kept waiting for connector 1, B is accepted; whichever connector B takes, it is his."""
    for n in (1, 2):
        scene = Scene(2, A=None)
        await scene.bench.run()
        await scene.card("A")
        await scene.card("B")
        scene.bench.plug(n)
        await scene.bench.run()
        assert scene.users()[n - 1] == "B"
        scene.backend.answer("A")
        await scene.bench.run()
        assert scene.outcomes["A"] == "start" and len(scene.bench.events) == 1
        scene.bench.plug(3 - n)
        await scene.bench.run()
        assert scene.users()[2 - n] == "A"


async def test_o12_a_place_that_was_taken_meanwhile_is_not_given_twice():
    """O12: both connectors are in use when the late answer comes."""
    scene = Scene(2, A=None)
    bench = scene.bench
    await bench.run()
    await scene.card("A")
    for n, token in ((2, "B"), (1, "C")):
        await scene.card(token)
        bench.plug(n)
        await bench.run()
    scene.backend.answer("A")
    await bench.run(2_000)
    assert scene.outcomes["A"] == "refused" and scene.users() == ["C", "B"] and len(bench.events) == 2


async def test_o12_remote_starts_are_one_at_a_time_as_before():
    scene = Scene(A=None)
    await scene.bench.run()
    assert scene.bench.station.remote_start("A", 1) and not scene.bench.station.remote_start("B", 1)
    await scene.card("C")
    assert scene.outcomes == {"C": "start"}
    scene.bench.plug()
    scene.backend.answer("A")
    await scene.bench.run()
    assert scene.users() == ["C"] and len(scene.bench.events) == 1
