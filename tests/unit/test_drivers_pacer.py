# interpreters: micropython
"""drivers/pacer: the control task keeps its period where asyncio wakes in steps of 10 ms, as on an ESP32."""

import asyncio
import gc
import sys

from harness import run

from tools.sim.device import machine
from tools.sim.world import eventloop, timers
from tools.sim.world.clock import BoardClock

sys.modules["machine"] = machine

from firmware.drivers.pacer import Pacer  # noqa: E402
from firmware.evse.control import PERIOD_MS, Control, Unpaced  # noqa: E402
from firmware.kernel.clock import Clock  # noqa: E402
from firmware.kernel.log import Log  # noqa: E402

try:
    import utime
except ImportError:
    import time as utime  # type: ignore[no-redef]

BOARD = BoardClock(utime.ticks_us, lambda: 1_800_000_000)
STEP_MS = 10
STEPS = 25

eventloop.install(BOARD, wake_ms=STEP_MS)
machine.attach(None, None, processor=BOARD)


def lateness(paced, phase_ms):
    """Returns how late the median step was, in ms, in a control task that begins at a phase of the waking."""
    clock = Clock(BOARD.ms, lambda a, b: a - b)
    log = Log(clock)
    beats = []
    starts = []

    class Watched(Pacer if paced else Unpaced):
        def start(self, period_ms):
            starts.append(super().start(period_ms))
            return starts[0]

    async def scenario():
        pacer = Watched(clock, log) if paced else Watched(clock)
        control = Control((), clock, pacer=pacer)
        while BOARD.ms() % STEP_MS != phase_ms:
            pass
        task = asyncio.create_task(control.run(lambda: beats.append(clock.ms())))
        await asyncio.sleep_ms(STEPS * PERIOD_MS)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass

    run(scenario())
    late = sorted((beat - starts[0]) % PERIOD_MS for beat in beats[1:])
    assert len(late) >= STEPS // 2 and not list(log.lines())
    return late[len(late) // 2]


def test_a_task_that_sleeps_is_late_by_what_is_left_of_the_step():
    """What the test of the timer can see."""
    assert lateness(False, 4) >= 4


def test_the_timer_wakes_the_control_task_in_time():
    for phase_ms in (1, 4, 8):
        assert lateness(True, phase_ms) <= 1, phase_ms
    assert timers.next_us() > BOARD.us() + 10**9, "the timer still runs"


def test_the_timer_comes_a_little_after_the_end_of_the_period():
    """Before it, the task would not be due yet, and wait for the next step."""
    begun_us = []

    class Recorded(machine.Timer):
        def init(self, **values):
            begun_us.append(BOARD.us())

    real, machine.Timer = machine.Timer, Recorded
    try:
        for _ in range(20):
            begun_ms = Pacer(BOARD, None).start(PERIOD_MS)
            assert begun_us.pop() - begun_ms * 1000 >= 300
    finally:
        machine.Timer = real


def test_without_a_timer_the_control_task_still_runs_and_the_log_says_so():
    class NoTimer:
        PERIODIC = 1

        def __init__(self, number):
            raise ValueError("invalid Timer number")

    clock = Clock(BOARD.ms, lambda a, b: a - b)
    log = Log(clock)
    real, machine.Timer = machine.Timer, NoTimer
    try:
        pacer = Pacer(clock, log)
        began = clock.ms()
        assert began <= pacer.start(PERIOD_MS) <= began + 5
        pacer.stop()
    finally:
        machine.Timer = real
    assert [line[3] for line in log.lines()] == ["no timer 0, each step is up to 10 ms late: invalid Timer number"]


def test_a_callback_allocates_nothing():
    made = []

    class Recorded:
        PERIODIC = 1

        def __init__(self, number):
            pass

        def init(self, period, mode, callback):
            made.append(callback)

        def deinit(self):
            pass

    clock = Clock(BOARD.ms, lambda a, b: a - b)
    real, machine.Timer = machine.Timer, Recorded
    try:
        Pacer(clock, Log(clock)).start(PERIOD_MS)
    finally:
        machine.Timer = real
    (callback,) = made
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(10):
        callback(None)
    used = gc.mem_alloc() - before
    gc.enable()
    assert used == 0, used
