"""Builds the station of this board and runs it: what main.py calls."""

import asyncio

from firmware.kernel.clock import iso8601
from firmware.kernel.log import format_line

_FACTORY = "/factory.json"  # what this one station is, see firmware/factory.py
_STORAGE = "/data"


def run():
    """Operates the station until it has to restart; returns how, "soft" or "hard". The outputs are safe afterwards."""
    app = _build()
    try:
        return asyncio.run(app.run())
    finally:
        app.make_safe()  # also when somebody at the console interrupts


def _build():
    from firmware.app import App
    from firmware.boards.board import Board  # nothing that lives on may refer to it: App gives its code back
    from firmware.factory import load

    factory = load(_FACTORY)
    board = Board(factory.layout, factory.hw)
    return App(board, _STORAGE, factory.settings, log_sink=_to_console, mistakes=factory.mistakes)


def _to_console(line):
    print(format_line(line, iso8601))
