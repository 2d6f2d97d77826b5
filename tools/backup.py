"""Saves and restores a board's settings, secrets and cards to a file, with mpremote.

    python -m tools.backup save PORT FILE [--list] [--secrets]
    python -m tools.backup restore PORT FILE

PORT is a port as for mpremote. The station is stopped meanwhile, with its contactors open, and restarted afterwards.
With `--secrets` the file includes passwords and keys, encrypted with a passphrase that you are asked for (or
BACKUP_PASSPHRASE).
"""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.flash.install import prepare, put
from tools.serial_port import SerialPort

_DOCUMENT = "restore.json"
_BEGIN = '{"backup":'  # begin of the document, after other output of the board

_OPEN = """
import asyncio
from firmware.maintenance.backup import Backup
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.tags import TagList
from firmware.version import VERSION
backup = Backup(Settings('/data/settings', SETTINGS), TagList('/data/tags'), VERSION)
"""
_SAVE = """
for piece in asyncio.run(backup.export({passphrase!r}, {with_list!r})):
    print(piece, end="")
"""
_RESTORE = "asyncio.run(backup.restore({name!r}, {passphrase!r}))"


def save(port: str, passphrase: str | None = None, with_list: bool = False) -> str:
    """Returns the backup of the board at `port` as JSON text. Raises BoardError with the board's message."""
    with _stopped(port) as board:
        text = board.run(_OPEN + _SAVE.format(passphrase=passphrase, with_list=with_list))
    document = text[text.index(_BEGIN) :].rstrip() + "\n"
    json.loads(document)
    return document


def restore(port: str, document: str, passphrase: str | None = None) -> None:
    """Restores a backup. Raises BoardError with the board's message; the board is then unchanged."""
    with _stopped(port) as board:
        prepare(board)
        put(board, f"/{_DOCUMENT}", document.encode())
        try:
            board.run(_OPEN + _RESTORE.format(name=_DOCUMENT, passphrase=passphrase))
        finally:
            board.run(f"remove(['/{_DOCUMENT}'])")


@contextmanager
def _stopped(port: str) -> Iterator[SerialPort]:
    """A board whose station is stopped, with its contactors open, and started again afterwards."""
    with SerialPort(port) as board:
        try:
            board.interrupt()
            yield board
        finally:
            board.reset()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.backup", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("save", "restore"))
    parser.add_argument("port", help="serial port of the board, as for mpremote")
    parser.add_argument("file", type=Path)
    parser.add_argument("--list", action="store_true", help="include the local authorisation list")
    parser.add_argument("--secrets", action="store_true", help="include passwords and keys, encrypted")
    arguments = parser.parse_args()
    try:
        if arguments.command == "save":
            arguments.file.write_text(
                save(arguments.port, _passphrase() if arguments.secrets else None, arguments.list)
            )
        else:
            document = arguments.file.read_text()
            restore(arguments.port, document, _passphrase() if "secrets" in json.loads(document) else None)
    except (RuntimeError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _passphrase() -> str:
    return os.environ.get("BACKUP_PASSPHRASE") or getpass.getpass("Passphrase: ")


if __name__ == "__main__":
    sys.exit(main())
