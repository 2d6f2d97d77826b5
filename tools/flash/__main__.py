"""`python -m tools.flash PORT [--image FILE] [--factory FILE] [--yes] [--boot] [--wait SECONDS]`: see `make flash`."""

import argparse
import sys
from pathlib import Path

from firmware.version import VERSION
from tools.flash import FactoryError, Interrupted, Unfit, flash
from tools.flash.waiting import watch
from tools.image import ROOT
from tools.serial_port import BoardError, PortError, SerialPort
from tools.terminal import agreed

_WAIT_S = 180  # a start is confirmed after a minute, unless the setting FirmwareConfirmTime says otherwise


def _say(text: str) -> None:
    print(text, flush=True)


def _show(name: str, sent: int, total: int) -> None:
    """Shows how far the copying is, on one line of a terminal."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{sent * 100 // total:3d} %  {name}", end="" if name else "\n", flush=True)


def _may_remove(yes: bool):
    def ask(files: list[str]) -> bool:
        print("These files of an earlier project would be found before those of the station, or run instead of it:")
        print("".join(f"  {name}\n" for name in files), end="", flush=True)
        return yes or agreed("Remove them?")

    return ask


def _install(options, port: SerialPort) -> int:
    outcome = flash(port, options.image, options.factory, _may_remove(options.yes), _say, _show, options.boot)
    if not options.wait:
        return 0
    start = watch(port, options.wait, _say)
    if start.failure:
        print(f"the new version does not work: {start.failure}", file=sys.stderr)
        return 1
    if not start.confirmed:
        print(f"the station has not said that it works in {options.wait} s; last: {start.last}", file=sys.stderr)
        return 1
    print(f"version {start.version}, slot {outcome.slot}, board {start.board}, address {start.address or 'none yet'}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.flash", description="Puts the firmware on a board.")
    parser.add_argument("port", help="serial port of the board, as mpremote takes it")
    parser.add_argument("--image", type=Path, default=ROOT / "build" / f"wallbox-{VERSION}.img")
    parser.add_argument("--factory", type=Path, help="provisioning file of this station (JSON)")
    parser.add_argument("--yes", action="store_true", help="remove files of an earlier project without a question")
    parser.add_argument("--boot", action="store_true", help="replace boot.py, main.py and rescue.py, too")
    parser.add_argument("--wait", type=float, default=_WAIT_S, help="seconds for the station to say that it works")
    options = parser.parse_args()
    if not options.image.exists():
        parser.error(f"there is no {options.image}: run `make image` first")
    try:
        with SerialPort(options.port) as port:
            return _install(options, port)
    except FactoryError as error:
        lines = [f"{options.factory}: {mistake}" for mistake in error.mistakes]
    except Unfit as error:
        lines = error.reasons
    except Interrupted as error:
        print(f"{error}\ninterrupted: the version before runs, if there was one", file=sys.stderr)
        return 1
    except (BoardError, PortError, OSError) as error:
        lines = [str(error)]
    except ValueError as error:  # ImageError
        lines = [f"{options.image}: the image {error}"]
    print("\n".join(lines), file=sys.stderr)
    print("nothing was copied", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
