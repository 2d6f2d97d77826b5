# Runs after boot.py on every power-on: the charging station, until it has to restart.
import asyncio

import machine

from firmware.kernel.clock import iso8601
from firmware.kernel.log import format_line

_FACTORY = "/factory.json"  # what this one station is, see firmware/factory.py


def to_console(line):
    print(format_line(line, iso8601))


def build():
    from firmware.app import App
    from firmware.boards.board import Board  # nothing that lives on may refer to it: App gives its code back
    from firmware.factory import load

    factory = load(_FACTORY)
    board = Board(factory.layout, factory.hw)
    return App(board, "/data", factory.settings, log_sink=to_console, mistakes=factory.mistakes)


def main():
    app = build()
    try:
        restart = asyncio.run(app.run())
    finally:
        app.make_safe()  # also when somebody at the console interrupts
    if restart == "soft":
        machine.soft_reset()
    machine.reset()


main()
