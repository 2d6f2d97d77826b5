"""Command line of the benchmarks: `python -m tools.bench [part ...]`.

Without arguments all parts are measured and docs/performance.md is written. Exit code 1: a part could not be measured.
A missed budget is shown, but is not a failure.
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.bench.page import markdown, terminal
from tools.bench.report import Skipped

ROOT = Path(__file__).resolve().parents[2]

# Part -> its module here, imported when it is measured: each needs other tools, --help needs none.
_PARTS = {
    "code": "code",
    "heap": "heap",
    "live": "live",
    "pilot": "pilot",
    "garbage": "garbage",
    "calls": "calls",
    "flash": "flash",
    "list": "taglist",
    "boot": "boot",
}
_PAGE = ROOT / "docs" / "performance.md"


def measured(names):
    """Returns the Sections, and the names of the parts that could not be measured."""
    sections, missing = [], []
    for name in names:
        print(f"{name}: ", end="", flush=True, file=sys.stderr)
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            try:
                part = importlib.import_module("tools.bench." + _PARTS[name])
                sections.append(part.measure(Path(scratch)))
            except Skipped as exc:
                print(f"skipped, {exc}", file=sys.stderr)
                missing.append(name)
                continue
            except (AssertionError, ImportError, OSError, RuntimeError, subprocess.SubprocessError) as exc:
                print(f"failed, {exc}", file=sys.stderr)
                missing.append(name)
                continue
        print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    return sections, missing


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help=f"{', '.join(_PARTS)}; all of them by default")
    names = parser.parse_args().part
    if not set(names) <= set(_PARTS):
        parser.error(f"part must be one of {', '.join(_PARTS)}")
    sections, missing = measured(names or _PARTS)
    if sections:
        print(terminal(sections))
    if missing:
        print(f"\nnot measured: {', '.join(missing)}; {_PAGE.relative_to(ROOT)} is not changed")
        return 1
    if not names:
        _PAGE.write_text(markdown(sections))
        print(f"\nwritten: {_PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
