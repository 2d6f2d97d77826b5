"""Command line: runs the fault matrix (20 s) and writes docs/fault_matrix.md; `--check` only compares."""

import argparse
import sys

from tools.fault_matrix.page import PAGE, current


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.fault_matrix",
        description="Tries every fault in every state (20 s) and writes docs/fault_matrix.md.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 when the page is not current")
    check = parser.parse_args().check
    before = PAGE.read_text()
    text = current()
    if text == before:
        return 0
    if check:
        print("docs/fault_matrix.md is not current: python -m tools.fault_matrix", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    print(f"{PAGE} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
