"""When garbage is collected: as it comes while no contactor is closed, otherwise when the reserve is used up."""

import asyncio

from harness import FakeClock, run, settle

from firmware.evse.control import Control
from firmware.kernel.memory import OFTEN, Memory, claim

_RESERVE = 2_097_152


class FakeGc:
    """An 8 MB heap with 250 KB in use; a collection takes 50 ms."""

    def __init__(self, clock, heap=8_000_000):
        self.clock = clock
        self.live = self.used = 250_000
        self.heap = heap
        self.thresholds = []
        self.collected = []  # (ms, bytes that were in use)
        self.looks = 0

    def mem_alloc(self):
        self.looks += 1
        return self.used

    def mem_free(self):
        return self.heap - self.used

    def threshold(self, count):
        self.thresholds.append(count)

    def collect(self):
        self.collected.append((self.clock.ms(), self.used))
        self.used = self.live
        self.clock.advance(50)


class Bench:
    def __init__(self, heap=8_000_000):
        self.clock = FakeClock()
        self.gc = FakeGc(self.clock, heap)
        self.memory = Memory(self.clock, self.gc)

    def run(self, seconds, closed, bytes_per_s=0):
        """Control steps of 20 ms; returns how many of them took their time."""
        taken = 0
        for _ in range(seconds * 50):
            self.gc.used += bytes_per_s // 50
            taken += self.memory.after_step(closed)
            self.clock.advance(20)
        return taken


def test_while_no_contactor_is_closed_the_interpreter_collects_as_it_likes():
    bench = Bench()
    assert bench.gc.thresholds == [OFTEN]
    assert bench.run(600, closed=False, bytes_per_s=3_000) == 0
    assert bench.gc.collected == [] and bench.gc.looks == 0


def test_while_one_is_closed_there_is_no_collection_before_the_reserve_is_used_up():
    """Budget: six an hour with 2 MB and 600 B/s; here 3 KB/s, as version 0.1 had."""
    bench = Bench()
    assert bench.memory.reserve == _RESERVE
    bench.run(3_600, closed=True, bytes_per_s=3_000)
    assert bench.gc.thresholds[-1] == -1
    collected = bench.gc.collected
    assert 4 <= len(collected) <= 6 and bench.memory.collections == len(collected)
    for _, used in collected:
        assert _RESERVE * 14 // 16 < used - bench.gc.live < _RESERVE
    assert bench.memory.longest_ms == 50
    assert bench.gc.looks < 90, "to look is half as long as to collect"


def test_little_garbage_needs_no_collection_for_hours():
    bench = Bench()
    bench.run(3_000, closed=True, bytes_per_s=600)
    assert bench.memory.collections == 0


def test_a_burst_is_noticed_in_time():
    bench = Bench()
    bench.run(120, closed=True, bytes_per_s=500)
    bench.run(120, closed=True, bytes_per_s=50_000)
    assert 1 <= bench.memory.collections <= 4


def test_when_the_contactor_opens_the_reserve_is_made_whole_again():
    bench = Bench()
    bench.run(60, closed=True, bytes_per_s=3_000)
    assert bench.run(1, closed=False) == 1
    assert len(bench.gc.collected) == 1 and bench.gc.thresholds[-1] == OFTEN
    assert bench.memory.collections == 0, "none of those that count"
    assert bench.run(60, closed=False, bytes_per_s=3_000) == 0


def test_a_small_heap_has_a_small_reserve():
    bench = Bench(heap=400_000)
    assert bench.memory.reserve == 75_000
    bench.run(60, closed=True, bytes_per_s=3_000)
    assert bench.memory.collections == 2


def test_what_took_its_time_is_followed_by_another_step_at_once():
    clock = FakeClock()
    steps = []
    slow = [False, True, False]

    class Twin:
        def act(self, now_ms):
            steps.append(now_ms)

        def tell(self):
            pass

        def fail_safe(self):
            pass

    def after_turn():
        if slow and slow.pop(0):
            clock.advance(50)
            return True
        return False

    async def scenario():
        control = Control((Twin(),), clock, after_turn=after_turn)
        task = asyncio.create_task(control.run(lambda: None))
        await settle()
        await clock.run_for(100)
        task.cancel()
        await settle()

    run(scenario())
    assert steps[:4] == [0, 20, 70, 80]


def test_claimed_heap_is_free_again_but_for_a_few_bytes():
    kept = claim(1_048_576)
    assert kept == [] or kept is None
