"""Puts the image on a board with mpremote: `python -m tools.flash PORT [--image build/image] [--factory FILE]`.

PORT is whatever mpremote takes: /dev/ttyUSB0, COM3, socket://host:port. Unchanged files are skipped (mpremote compares
SHA-256). `--factory` writes the provisioning file of this one station (see docs/settings.md), which an update leaves
alone. The board is reset at the end and boots the new image.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tools.image import ROOT

_TIMEOUT_S = 120


def mpremote(port: str, *commands: str) -> None:
    """Runs mpremote commands on the board at `port`; raises CalledProcessError when one fails."""
    command = [sys.executable, "-m", "mpremote", "connect", port, *commands]
    subprocess.run(command, check=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL)


def flash(port: str, image: Path, factory: Path | None = None) -> None:
    """Copies `image` (and the provisioning file) to the root of the board's file system, then resets the board."""
    mpremote(port, "fs", "cp", "-r", f"{image}/.", ":")
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
    except subprocess.CalledProcessError as error:
        print(f"mpremote failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
