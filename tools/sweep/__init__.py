"""Fault sweep (`make sweep`): an exception at every line of control, session and store, an error at every file call."""
