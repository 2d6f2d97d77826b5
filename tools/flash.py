"""Puts the image on a board with mpremote: `python -m tools.flash PORT [--image build/image] [--factory FILE]`.

A factory file is checked first, as the board does at its start: one with a mistake is not copied, nor is the image.

PORT is whatever mpremote takes: /dev/ttyUSB0, COM3, socket://host:port. Unchanged files are skipped (mpremote compares
SHA-256). `--factory` writes the provisioning file of this one station (see docs/settings.md), which an update leaves
alone. The board is reset at the end and boots the new image.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tools.docs.pages import ROOT, prepare_imports

SLOT = "a"  # where an empty board gets its first application


class FactoryError(ValueError):
    """The factory file is wrong; `mistakes` are lines of text."""

    def __init__(self, mistakes: list[str]):
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


def mpremote(port: str, *commands: str) -> None:
    """Runs mpremote commands on the board at `port`; raises CalledProcessError when one fails."""
    subprocess.run([sys.executable, "-m", "mpremote", "connect", port, *commands], check=True, stdin=subprocess.DEVNULL)


def mistakes_in(factory: Path) -> list[str]:
    """Returns what is wrong with a factory file, one line each: the very check of the board."""
    prepare_imports()
    from firmware.factory import load

    if not factory.is_file():
        return ["no such file"]
    return list(load(str(factory)).mistakes)


def flash(port: str, image: Path, factory: Path | None = None) -> None:
    """Copies `image` (and the provisioning file) to the root of the board's file system, then resets the board.

    Raises FactoryError before anything is copied, CalledProcessError when mpremote fails.
    """
    mistakes = mistakes_in(factory) if factory else []
    if mistakes:
        raise FactoryError(mistakes)
    mpremote(port, "exec", f"import os; {SLOT!r} in os.listdir('/') or os.mkdir({SLOT!r})")
    mpremote(port, "resume", "fs", "cp", "-r", f"{image}/.", f":{SLOT}")
    mpremote(port, "resume", "fs", "cp", "-r", f"{image}/root/.", ":")
    if factory:
        mpremote(port, "resume", "fs", "cp", str(factory), ":factory.json")
    mpremote(port, "resume", "reset")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.flash", description=__doc__.splitlines()[0])
    parser.add_argument("port", help="serial port of the board, as mpremote takes it")
    parser.add_argument("--image", type=Path, default=ROOT / "build" / "image")
    parser.add_argument("--factory", type=Path, help="provisioning file of this station (JSON)")
    arguments = parser.parse_args()
    if not (arguments.image / "manifest.json").exists():
        parser.error(f"{arguments.image} holds no image: run `make image` first")
    try:
        flash(arguments.port, arguments.image, arguments.factory)
    except FactoryError as error:
        for mistake in error.mistakes:
            print(f"{arguments.factory}: {mistake}", file=sys.stderr)
        print("nothing was copied", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"mpremote failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
