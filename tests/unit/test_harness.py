"""The helpers of the unit tests themselves: a test that cannot fail protects nothing."""

import asyncio

from harness import FakeClock, raises, run, settle


def test_raises_wants_that_exception():
    with raises(AssertionError):
        with raises(ValueError):
            pass
    with raises(KeyError):
        with raises(ValueError, OSError):
            raise KeyError("x")
    with raises(ValueError, OSError) as caught:
        raise OSError(5)
    assert caught.value.args == (5,)


def test_run_leaves_no_task_behind():
    ran = []

    async def later():
        await asyncio.sleep(0)
        ran.append(1)

    async def main():
        asyncio.create_task(later())
        return 7

    async def settled():
        await settle()

    assert run(main()) == 7
    run(settled())
    assert ran == []


async def test_time_passes_from_one_deadline_to_the_next():
    clock = FakeClock()
    seen = []

    async def tick(period, times):
        for _ in range(times):
            await clock.sleep_ms(period)
            seen.append(clock.ms())

    asyncio.create_task(tick(300, 3))
    asyncio.create_task(tick(1000, 9))
    await clock.run_for(2500)
    assert seen == [300, 600, 900, 1000, 2000]
    assert clock.ms() == 2500


async def test_a_sleeper_may_be_cancelled():
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep_ms(10))
    await settle()
    task.cancel()
    with raises(asyncio.CancelledError):
        await task
    await clock.run_for(20)


def test_the_clock_is_that_of_the_kernel():
    clock = FakeClock(unix=1_900_000_000)
    assert clock.synchronised and clock.now() == 1_900_000_000
    clock.advance(1500)
    assert (clock.ms(), clock.unix) == (1500, 1_900_000_001)
    deltas = []
    clock.changed.connect(lambda delta, source: deltas.append((delta, source)))
    clock.unix = 2_000_000_000
    assert clock.now() == 2_000_000_000 and deltas == []
    clock.set_unix(2_000_000_060, "ocpp")
    assert deltas == [(60, "ocpp")]
    assert not FakeClock(synchronised=False).synchronised
