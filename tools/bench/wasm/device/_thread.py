# `_thread` for the 32-bit build, which has none: name look-ups have no thread to run in and are not measured.
"""Stands in for a module that the bench never calls."""


def start_new_thread(function, args):
    raise OSError("no threads here")
