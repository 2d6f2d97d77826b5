"""Terminal helpers of the tools for people: argument checks, lines that do not disturb typing, orderly end."""

import argparse
import os
import readline
import select
import signal
import sys
import threading

from tools.sim.config import ConfigError, check_url

PROMPT = "> "
_LOOK_S = 0.5


def port(text):
    """Returns a TCP port. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def url(text):
    """Returns the address of a central system. Raises ArgumentTypeError."""
    try:
        check_url(text)
    except ConfigError as exc:
        raise argparse.ArgumentTypeError(str(exc).replace("ocpp.url ", "a URL ", 1)) from None
    return text


def setting(text):
    """Returns (name, value) of NAME=VALUE. Raises ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"a setting is NAME=VALUE, not {text!r}")
    return name, value


def reason(exc):
    """Returns what an exception says to a person, in one line."""
    if isinstance(exc, OSError) and exc.strerror:
        return f"{exc.filename}: {exc.strerror}" if exc.filename else exc.strerror
    lines = str(exc).strip().splitlines() or [type(exc).__name__]
    return lines[-1] if len(lines) > 1 and "Traceback" in str(exc) else " ".join(lines)


def agreed(question):
    """Asks a person; returns True for a yes. Where nobody can be asked it is a no."""
    if not sys.stdin.isatty():
        print(f"{question} Nobody to ask: say YES=1 (--yes)", file=sys.stderr)
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


class Terminal:
    """Lines out, from any thread, and lines in. A person's half-typed line stays below what is told meanwhile.

    A reader of stdout that goes away (`| head`) ends the program as Ctrl-C does: say() never raises for it.
    """

    def __init__(self, out=None):
        self._out = out or sys.stdout
        self._lock = threading.Lock()
        self._live = sys.stdin.isatty() and self._out.isatty()
        self._asking = False

    def say(self, text):
        """Writes a line."""
        self._write(f"\r\x1b[K{text}\n{self._typed()}" if self._asking else text + "\n")

    def draw(self, sequence, typed=False):
        """Writes control sequences of a terminal; `typed`: what a person has typed follows, where they end."""
        self._write(f"{sequence}\r\x1b[K{self._typed()}" if typed and self._asking else sequence)

    def _typed(self):
        # readline knows what has been typed so far.
        return PROMPT + readline.get_line_buffer()

    def _write(self, text):
        with self._lock:
            try:
                self._out.write(text)
                self._out.flush()
            except BrokenPipeError:
                leave_quietly()

    def lines(self):
        """Yields what a person types, until Ctrl-D. Where stdin ends and nobody types, waits for ever."""
        if not self._live:
            for line in sys.stdin:
                yield line
            wait()
        while True:
            try:
                self._asking = True
                line = input(PROMPT)
            except EOFError:
                return
            finally:
                self._asking = False
            yield line


def wait():
    """Waits for a signal, or until nobody reads stdout any more."""
    gone = select.poll()
    gone.register(sys.stdout.fileno(), 0)  # an error is told without being asked for
    while not gone.poll(_LOOK_S * 1000):
        pass
    leave_quietly()


def leave_quietly():
    """Ends the program as Ctrl-C does, and silences what would still be written to nobody."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.kill(os.getpid(), signal.SIGINT)


def heed_signals():
    """Makes SIGINT, also where it is ignored (in the background of a shell), and SIGTERM a KeyboardInterrupt."""

    def interrupted(*_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first is enough: what follows is the orderly end
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
