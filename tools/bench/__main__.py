"""Measures the firmware and compares it with its budgets: `python -m tools.bench [part ...]`.

Without a part all of them are measured, and docs/performance.md is written anew.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tools.bench import boot, calls, code, flash, heap, live
from tools.bench.page import markdown, terminal
from tools.bench.report import Row, Section, Skipped
from tools.image import ROOT

_PARTS = {"code": code, "heap": heap, "live": live, "calls": calls, "flash": flash, "boot": boot}
_PAGE = ROOT / "docs" / "performance.md"


def measured(names):
    """Returns the Sections and whether each part could be measured to its end."""
    sections, whole = [], True
    for name in names:
        print(f"{name}: ", end="", flush=True, file=sys.stderr)
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            try:
                sections.append(_PARTS[name].measure(Path(scratch)))
            except Skipped as exc:
                whole = False
                sections.append(Section([Row(name, None, note=f"skipped: {exc}", command=_PARTS[name].COMMAND)]))
        print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    return sections, whole


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help=f"{', '.join(_PARTS)}; all of them by default")
    names = parser.parse_args().part
    if not set(names) <= set(_PARTS):
        parser.error(f"a part is one of {', '.join(_PARTS)}")
    sections, whole = measured(names or _PARTS)
    print(terminal(sections))
    if not names:
        if whole:
            _PAGE.write_text(markdown(sections))
            print(f"\nwritten: {_PAGE.relative_to(ROOT)}")
        else:
            print(f"\n{_PAGE.relative_to(ROOT)} is left as it was: a part of it could not be measured")
    return 0


if __name__ == "__main__":
    sys.exit(main())
