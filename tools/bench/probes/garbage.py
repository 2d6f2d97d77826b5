# Garbage of a station that charges. MIT license.
"""Runs the whole firmware above the simulated board in virtual time, and counts what it allocates by the second.

The collector is off, so that what is allocated adds up. What the simulator allocates in its UARTs and converters, in
what happens in the world and in its own task is taken off; its pins allocate nothing. There is no back-end: charging is
free, and nothing happens.
"""

import gc
import sys

sys.path[:0] = ["tools/sim/device"]

import asyncio  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402
from asyncio import core  # noqa: E402

import machine  # noqa: E402
import network  # noqa: E402
from folder import fresh_folder  # noqa: E402

from tools.sim.world import eventloop  # noqa: E402
from tools.sim.world import world as world_module  # noqa: E402
from tools.sim.world.clock import BoardClock  # noqa: E402
from tools.sim.world.field import Field  # noqa: E402
from tools.sim.world.meter_emulator import MeterBus  # noqa: E402
from tools.sim.world.pn532_emulator import Pn532  # noqa: E402
from tools.sim.world.timeline import Timeline  # noqa: E402
from tools.sim.world.world import UART_METER, UART_READER, World  # noqa: E402

_UNIX = 1_800_000_000
_UNTIL_MS = 15_000  # a session has begun, and all code is loaded
_SECONDS = 10

mem_alloc = gc.mem_alloc


class Books:
    """Whose garbage it is. `us` is the virtual time."""

    us = 0
    simulator = 0  # bytes
    inside = False  # a part of the simulator is at work
    names = {}  # id of a task: its name
    tasks = {}  # name: bytes
    mark = 0  # what was allocated when the last task had its turn
    simulator_mark = 0


def simulators(kind, name):
    """Books what a method allocates as the simulator's; methods with up to one argument."""
    method = getattr(kind, name)

    def call(self, value=None):
        if Books.inside:
            return method(self) if value is None else method(self, value)
        Books.inside = True
        before = mem_alloc()
        try:
            return method(self) if value is None else method(self, value)
        finally:
            Books.simulator += mem_alloc() - before
            Books.inside = False

    setattr(kind, name, call)


for name in ("any", "read", "write", "txdone"):
    simulators(machine.UART, name)
simulators(machine.ADC, "read_uv")


class Quiet(Timeline):
    """Looks at the heap only where something happens: a look takes as long as a collection."""

    def now(self):
        if Books.inside or not self._coming or self._coming[0][0] > self._ms():
            return super().now()
        return self.happen()

    def happen(self):
        return super().now()


simulators(Quiet, "happen")


def install_loop():
    """asyncio in a time that jumps to where the next task is due, and a look at the heap after each turn of a task."""
    time.board_clock = BoardClock(lambda: Books.us, lambda: _UNIX)
    eventloop.install(time.board_clock)

    class Loop(core.IOQueue):
        def wait_io_event(self, dt):
            turn_ends()
            super().wait_io_event(dt)
            Books.mark = mem_alloc()
            Books.simulator_mark = Books.simulator

        def _poll(self, real_us):
            if real_us > 0:
                Books.us += real_us

    core.IOQueue = Loop
    core.new_event_loop()


def turn_ends():
    """The task that has had its turn has allocated what is not the simulator's."""
    if not Books.names:
        return
    own = mem_alloc() - Books.mark - (Books.simulator - Books.simulator_mark)
    name = Books.names.get(id(core.cur_task)) or repr(core.cur_task.coro).split("'")[1]
    Books.tasks[name] = Books.tasks.get(name, 0) + own


async def live(world):
    """Processes due events of the world, such as a relay that opens or a meter's answer."""
    while True:
        world.timeline.look()
        await asyncio.sleep_ms(20)


def build(world):
    from firmware.app import App
    from firmware.boards import simulated
    from firmware.boards.board import Board

    provision = {"FreevendEnabled": "true", "FreevendIdTag": "FREE", "LogLevel": "warning"}
    return App(Board(simulated), storage=fresh_folder(), provision=provision)


async def main():
    world_module.Timeline = Quiet
    world = World(time.board_clock.ms, lambda name, fields: None)
    MeterBus(world.lines[UART_METER], world.timeline, world.outlets)
    Pn532(world.lines[UART_READER], world.timeline, Field(world.timeline))
    machine.attach(world, lambda kind: None, processor=time.board_clock)
    network.attach(world)
    app = build(world)
    alive = asyncio.create_task(live(world))
    asyncio.create_task(app.run())
    outlet = world.outlets[0]
    outlet.plug(32)
    await asyncio.sleep_ms(5_000)
    outlet.set_load((16_000, 16_000, 16_000), 230_000)
    outlet.set_vehicle("C")
    await asyncio.sleep_ms(_UNTIL_MS - 5_000)
    if not app.evses[0].charging:
        raise RuntimeError("it does not charge: %s" % app.evses[0].suspended_reason)
    gc.collect()
    gc.disable()
    Books.names = {id(task.handle): task.name for task in app.supervisor._tasks}
    Books.names[id(alive)] = "simulator"
    Books.names[id(core.cur_task)] = "probe"
    Books.mark = mem_alloc()
    await asyncio.sleep_ms(_SECONDS * 1000)
    found = Books.tasks
    found.pop("simulator", None)
    found.pop("probe", None)
    print(json.dumps({name: number // _SECONDS for name, number in found.items()}))
    sys.exit()


install_loop()
asyncio.run(main())
