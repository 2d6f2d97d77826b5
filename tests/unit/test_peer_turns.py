"""Whose CALL is sent next when the back-end lets one of them hang (row O12)."""

import asyncio

from harness import settle
from test_peer import Bench

from firmware.ocpp.errors import LinkDown, RpcTimeout

ANSWER = {"idTagInfo": {"status": "Accepted"}}


async def ask(bench, token, timeout_s=30, patience_s=4):
    """Starts an Authorize; returns a task whose result is the answer, or the exception."""
    task = asyncio.create_task(_ask(bench, token, timeout_s, patience_s))
    await settle()
    return task


async def _ask(bench, token, timeout_s, patience_s):
    try:
        return await bench.peer.call("Authorize", {"idTag": token}, timeout_s, None, patience_s)
    except OSError as exc:
        return exc


def tokens(bench):
    return [message[3]["idTag"] for message in bench.sent if message[2] == "Authorize"]


async def test_o12_a_hanging_call_gives_way_after_its_patience():
    """O12: at once if it hangs for longer already; then one CALL of ours is on its way at a time as before."""
    for age_ms, wait_ms in ((1_000, 3_000), (10_000, 0)):
        bench = Bench()
        await ask(bench, "A")
        await bench.clock.run_for(age_ms)
        second = await ask(bench, "B")
        if wait_ms:
            await bench.clock.run_for(wait_ms - 200)
            assert tokens(bench) == ["A"]
        await bench.clock.run_for(400)
        assert tokens(bench) == ["A", "B"]
        await bench.receive([3, "id2", ANSWER])
        assert (await second)["idTagInfo"]["status"] == "Accepted"


async def test_o12_a_late_answer_is_still_the_answer():
    bench = Bench()
    first = await ask(bench, "A")
    second = await ask(bench, "B")
    await bench.clock.run_for(6_000)
    await bench.receive([3, "id1", {"idTagInfo": {"status": "Blocked"}}])
    await bench.clock.run_for(200)
    assert (await first)["idTagInfo"]["status"] == "Blocked"
    await bench.receive([3, "id2", ANSWER])
    assert (await second)["idTagInfo"]["status"] == "Accepted" and bench.peer.unanswered == 0


async def test_o12_without_an_answer_it_ends_at_its_own_time():
    bench = Bench()
    first = await ask(bench, "A", timeout_s=10)
    second = await ask(bench, "B", timeout_s=10)
    await bench.clock.run_for(9_800)
    assert not first.done() and not second.done()
    await bench.clock.run_for(500)
    assert isinstance(await first, RpcTimeout) and not second.done()
    bench.peer.close()
    await bench.clock.run_for(200)
    assert isinstance(await second, LinkDown)
    await bench.receive([3, ["id1"], ANSWER])  # no id at all


async def test_o12_only_those_with_patience_give_way_and_are_made_way_for():
    bench = Bench()
    beat = await bench.begin()
    await ask(bench, "A")
    await bench.clock.run_for(10_000)
    assert len(bench.sent) == 1, "a Heartbeat keeps its turn"
    await bench.receive([3, "id1", {"currentTime": "2026-11-21T01:02:03Z"}])
    await beat
    await bench.begin()
    await bench.clock.run_for(10_000)
    assert [message[2] for message in bench.sent] == ["Heartbeat", "Authorize"], "and is not what others give way to"
