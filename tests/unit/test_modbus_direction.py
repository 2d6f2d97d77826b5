# interpreters: micropython
"""modbus_rtu behind an RS-485 driver that has to be switched, on a board that wakes every 10 ms: no reply is cut."""

import asyncio
import sys

from harness import run
from modbus_rtu import ModbusError, RtuMaster

from tools.sim.device import machine
from tools.sim.world import eventloop
from tools.sim.world.clock import BoardClock
from tools.sim.world.meter_emulator import MeterBus
from tools.sim.world.world import DIRECTION_PIN, UART_METER, World

sys.modules["machine"] = machine

try:
    import utime
except ImportError:
    import time as utime  # type: ignore[no-redef]

BOARD = BoardClock(utime.ticks_us, lambda: 1_800_000_000)
READS = 12

eventloop.install(BOARD, wake_ms=10)


class Sleeping:
    """The port, and a driver that lets go when the scheduler comes back after the request's time on the wire."""

    def __init__(self, uart):
        self._uart = uart

    def write(self, data):
        return self._uart.write(data)

    def txdone(self):
        utime.sleep_ms(8)  # another task has its turn
        return self._uart.txdone()


def read(baudrate, wrap=lambda uart: uart):
    """Returns (replies, lost bytes) of some reads of a meter that answers at once, beside a task that computes."""

    async def scenario():
        world = World(BOARD.ms, lambda name, fields: None, direction_us=BOARD.us)
        machine.attach(world, None, processor=BOARD)
        line = world.lines[UART_METER]
        world.timeline.arrange = lambda delay_ms: asyncio.create_task(look(delay_ms, world.timeline))
        MeterBus(line, world.timeline, world.outlets, turnaround_ms=0)
        uart = machine.UART(UART_METER, baudrate=baudrate)
        direction = machine.Pin(DIRECTION_PIN, machine.Pin.OUT, value=0)
        master = RtuMaster(asyncio.StreamReader(uart), baudrate, 100, 0, direction, wrap(uart))
        other = asyncio.create_task(compute())
        replies = 0
        for _ in range(READS):
            try:
                replies += len(await master.read_input(1, 0x48, 2)) == 4
            except ModbusError:
                pass
        other.cancel()
        return replies, line.lost

    return run(scenario())


async def look(delay_ms, timeline):
    await asyncio.sleep_ms(delay_ms)
    timeline.look()


async def compute():
    while True:
        utime.sleep_ms(5)
        await asyncio.sleep_ms(3)


def test_a_driver_that_lets_go_late_cuts_the_reply():
    """What the test below can see."""
    replies, lost = read(9600, Sleeping)
    assert replies < READS and lost


def test_no_reply_is_cut():
    for baudrate in (2400, 9600, 19_200, 115_200):
        # A busy host that holds the whole process cuts one now and then; the firmware would do it each time.
        for _ in range(3):
            found = read(baudrate)
            if found == (READS, 0):
                break
        assert found == (READS, 0), baudrate
