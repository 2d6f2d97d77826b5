"""Prints and verifies what a station keeps on its flash: see `python -m tools.flashlog --help`."""
