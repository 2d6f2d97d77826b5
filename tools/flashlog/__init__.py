"""Prints and verifies a station's flash (journal, settings, list): `python -m tools.flashlog --help`."""
