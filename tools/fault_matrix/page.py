"""Page docs/fault_matrix.md: its text, and the table from a run of the matrix."""

import tempfile
from itertools import count
from pathlib import Path

from tools.docs.pages import ROOT, prepare_imports, render

PAGE = ROOT / "docs" / "fault_matrix.md"

_RECOVERY = {
    "auto": "by itself",
    "supply": "by itself, after a successful closing",
    "again": "after the pause; unplug at the 3rd time in 10 min",
    "unplug": "unplug",
    "retry": "unplug, or 3 x 15 min, then latched",
    "session": "no fault; the session is over",
}


def _table():
    prepare_imports()
    from tools.fault_matrix.matrix import rows

    yield "| what breaks | errorCode | vendorErrorCode | A | B1 | B2 | C1 | C2 | other connector | over |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        numbers = count()

        def fresh():
            path = Path(folder) / str(next(numbers))
            path.mkdir()
            return str(path)

        for case, texts in rows(fresh):
            cells = " | ".join(texts)
            yield f"| {case.label} | {case.code} | {case.vendor or ''} | {cells} | {_RECOVERY[case.recovery]} |"


def current():
    """Runs every cell and returns the page. Raises AssertionError for a failed cell."""
    return render(PAGE.read_text(), {"matrix": _table})
