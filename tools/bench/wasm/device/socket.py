# `socket` for the 32-bit build, which has none: the bench begins above the TCP connection.
"""Stands in for a module whose functions the bench never calls."""

SOCK_STREAM = 1


def getaddrinfo(*args):
    raise OSError("no network here")
