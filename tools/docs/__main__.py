"""Command line: writes the generated tables of docs/; `--check` only reports pages that are not current."""

import argparse
import sys

from tools.docs.pages import pages


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description="Writes the generated tables of docs/.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 when a page is not current")
    check = parser.parse_args().check
    stale = [(path, text) for path, before, text in pages() if before != text]
    for path, text in stale:
        if check:
            print(f"{path} is not current: python -m tools.docs", file=sys.stderr)
        else:
            path.write_text(text)
            print(f"{path} written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
