# interpreters: micropython
"""Days of sessions, lost links and power cuts: the central system ends with exactly what happened.

`make soak` does it for 30 days with 200 cuts.
"""

from soak_bench import Soak


async def soak(days, cuts, seed=1):
    run = Soak(days, cuts, seed)
    await run.run()
    print(run.report)
    assert run.cuts > cuts * 3 // 4  # two that were planned for the same write are one
    assert run.truth.sessions == [] and run.central.ended == run.truth.begun
    assert run.rows == run.central.ended
    assert run.errors == 0
    assert run.heap[-1] - max(run.heap[: days // 2 + 1]) < 8_192  # tables fill up in the first days
    return run


async def test_two_days_with_15_power_cuts():
    await soak(2, 15)
