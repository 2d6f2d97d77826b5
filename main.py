# Runs after boot.py on every power-on: the charging station, until it has to restart.
import asyncio
import json

import machine

from firmware.kernel.clock import iso8601
from firmware.kernel.log import format_line

_FACTORY = "/factory.json"  # what this one station is: {"board": "esp32s3_reference", "settings": {name: text}}
_DEFAULT_BOARD = "esp32s3_reference"


def load_factory():
    try:
        with open(_FACTORY) as file:
            return json.load(file)
    except OSError:
        return {}  # a board that nobody has provisioned: the defaults, to be set up through the portal


def layout(name):
    return getattr(__import__("firmware.boards." + name).boards, name)


def to_console(line):
    print(format_line(line, iso8601))


def build():
    from firmware.app import App
    from firmware.boards.board import Board  # nothing that lives on may refer to it: App gives its code back

    factory = load_factory()
    board = Board(layout(factory.get("board", _DEFAULT_BOARD)), factory.get("hw"))
    return App(board, "/data", factory.get("settings"), log_sink=to_console)


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
