"""Entry of the firmware, called by main.py: builds the station of this board and runs it."""

import asyncio
import sys
import time

from micropython import const

from firmware.drivers.watchdog import Watchdog
from firmware.kernel.console import Console
from firmware.maintenance.slots import ApplicationSlots

_FACTORY = "/factory.json"  # what this one station is, see firmware/factory.py
_PINS = "/pins.json"  # for boot.py, see boards.safe_pins
_STORAGE = "/data"
_WATCHDOG_MS = const(30_000)  # of main.py


def run():
    """Operates the station until it has to restart; returns how, "soft" or "hard". The outputs are safe afterwards."""
    console = Console(sys.stdout, time.ticks_ms, time.ticks_diff)
    try:
        app = _build(console)
        try:
            return asyncio.run(app.run())
        finally:
            app.abandon()  # after Ctrl-C, too
    finally:
        console.flush()


def _build(console):
    from firmware.app import App
    from firmware.boards import safe_pins
    from firmware.boards.board import Board  # App drops their code: no module may refer to it
    from firmware.factory import load

    factory = load(_FACTORY)
    _keep_pins(safe_pins.as_text(factory.layout))
    board = Board(factory.layout, factory.hw)
    if board.watchdog is None:
        board.watchdog = Watchdog(_WATCHDOG_MS)  # main.py has armed it, whatever the board's file says
    app = App(board, _STORAGE, factory.settings, None, console, _slots())
    app.report_mistakes(factory.mistakes)
    return app


def _slots():
    """Returns where versions of this code lie: in slots, as the one that this module was loaded from, or frozen."""
    top = __file__.split("/")[1] if __file__.startswith("/") else None
    if top in ("a", "b"):
        return ApplicationSlots(top)
    from esp32 import Partition

    from firmware.maintenance.partitions import PartitionSlots
    from firmware.version import VERSION

    return PartitionSlots(Partition, VERSION)


def _keep_pins(text):
    """Writes down for boot.py which levels are safe, unless it has them."""
    try:
        with open(_PINS) as file:
            if file.read() == text:
                return
    except OSError:
        pass  # the first start on this board
    try:
        with open(_PINS, "w") as file:
            file.write(text)
    except OSError as exc:
        print("start: pins.json is not kept:", exc)  # a full flash is no reason not to start
