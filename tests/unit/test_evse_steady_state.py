# interpreters: micropython
"""What 50 steps a second cost: in the steady state a step allocates nothing, so no collection falls into the loop."""

import gc

from evse_bench import Bench


def _allocated(bench, steps=1_000):
    machine = bench.machine
    inputs = bench.inputs
    now = bench.now
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(steps):
        now += 20
        machine.step(inputs, now)
    allocated = gc.mem_alloc() - before
    gc.enable()
    bench.now = now
    return allocated


def test_a_step_allocates_nothing_in_a_b1_b2_and_c():
    bench = Bench(pilot_switch=True)
    bench.inputs.voltages_mv = (230_000,) * 3
    bench.inputs.currents_ma = (0, 0, 0)
    assert _allocated(bench) == 0
    bench.machine.wishes.hold_plug = True
    bench.plug()
    bench.run(3_000)
    assert bench.machine.state == "B" and _allocated(bench) == 0
    bench.machine.wishes.permitted = True
    bench.run(3_000)
    assert bench.pwm and _allocated(bench) == 0
    bench.vehicle = "C"
    bench.inputs.currents_ma = (31_000,) * 3
    bench.run(20_000)  # until the closing has proved itself
    assert bench.out.close and _allocated(bench) == 0
    assert bench.out.close


def test_a_step_allocates_nothing_with_a_fault_or_while_unavailable():
    bench = Bench()
    bench.charge()
    bench.faults.raise_fault("other", bench.now)
    bench.run(2_000)
    assert _allocated(bench) == 0
    bench.machine.wishes.available = False
    bench.run(10_000)
    assert bench.machine.state == "F" and _allocated(bench) == 0
