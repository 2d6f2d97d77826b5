"""Tables in the pages of docs/ that come from the code: between `<!-- NAME: generated -->` and `<!-- end -->`."""

import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Modules of this package: each has PAGE, a file in docs/, and TABLES {name: function that yields lines}.
MODULES = ("evse_tables", "hardware_tables", "settings_tables", "ocpp_tables", "file_tables")


def prepare_imports():
    """Makes the firmware importable on CPython."""
    for folder in (ROOT / "tests" / "cpython", ROOT / "lib", ROOT):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def render(page, tables):
    """Returns the text of a page with its tables as the code has them now. Raises ValueError for a missing place."""
    for name, table in tables.items():
        block = f"<!-- {name}: generated -->\n" + "\n".join(table()) + "\n<!-- end -->"
        old = rf"<!-- {name}: generated -->.*?<!-- end -->"
        page, count = re.subn(old, lambda _, b=block: b, page, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"the page has no place for {name}")
    return page


def pages():
    """Yields (path, text as it is, text as it should be) for every page with generated tables."""
    prepare_imports()
    for name in MODULES:
        module = importlib.import_module(f"tools.docs.{name}")
        path = ROOT / "docs" / module.PAGE
        text = path.read_text()
        yield path, text, render(text, module.TABLES)
