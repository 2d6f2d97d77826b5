"""The fault sweep: an exception at every executed line of control, session and store, an error at every file call."""
