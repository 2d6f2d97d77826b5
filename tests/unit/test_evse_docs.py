# interpreters: cpython
"""The tables of docs/evse.md are those of the code."""

from tools.docs.evse_tables import PAGE, render


def test_the_tables_are_current():
    page = PAGE.read_text()
    assert render(page) == page, "python -m tools.docs.evse_tables"
