"""Runs the matrix (20 s) and writes docs/fault_matrix.md: `python -m tools.fault_matrix`; `--check` only compares."""

import sys

from tools.fault_matrix.page import PAGE, current

if __name__ == "__main__":
    before = PAGE.read_text()
    text = current()
    if text != before and "--check" in sys.argv[1:]:
        sys.exit("docs/fault_matrix.md is not current: python -m tools.fault_matrix")
    PAGE.write_text(text)
