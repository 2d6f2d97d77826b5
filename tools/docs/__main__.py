"""Writes the generated tables of docs/: `python -m tools.docs`; with `--check` it fails when a page is not current."""

import sys

from tools.docs.pages import pages


def main():
    check = "--check" in sys.argv[1:]
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
