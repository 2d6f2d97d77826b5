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
        raise argparse.ArgumentTypeError(f"a port must be a number from 1 to 65535, not {text!r}")
    return int(text)


def url(text):
    """Returns the URL of a central system. Raises ArgumentTypeError."""
    try:
        check_url(text)
    except ConfigError as exc:
        raise argparse.ArgumentTypeError(str(exc).replace("ocpp.url ", "a URL ", 1)) from None
    return text


def setting(text):
    """Returns (name, value) of NAME=VALUE. Raises ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"a setting must be NAME=VALUE, not {text!r}")
    return name, value


def reason(exc):
    """Returns the message of an exception for a person, in one line."""
    if isinstance(exc, OSError) and exc.strerror:
        return f"{exc.filename}: {exc.strerror}" if exc.filename else exc.strerror
    lines = str(exc).strip().splitlines() or [type(exc).__name__]
    return lines[-1] if len(lines) > 1 and "Traceback" in str(exc) else " ".join(lines)


def agreed(question):
    """Asks the user a question; returns True for yes, False without a terminal."""
    if not sys.stdin.isatty():
        print(f"{question} No terminal to ask: confirm with YES=1 (--yes)", file=sys.stderr)
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


class Terminal:
    """Output lines from any thread, and input lines. A half-typed line stays below the output.

    When the reader of stdout ends (`| head`), the program ends as with Ctrl-C: say() does not raise.
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
        """Writes terminal control sequences; `typed`: the half-typed line is written again after them."""
        self._write(f"{sequence}\r\x1b[K{self._typed()}" if typed and self._asking else sequence)

    def _typed(self):
        # readline has the half-typed line.
        return PROMPT + readline.get_line_buffer()

    def _write(self, text):
        with self._lock:
            try:
                self._out.write(text)
                self._out.flush()
            except BrokenPipeError:
                leave_quietly()

    def lines(self):
        """Yields typed lines until Ctrl-D. If stdin is not a terminal and ends, waits for ever."""
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
    """Waits for a signal, or until stdout is closed by its reader."""
    gone = select.poll()
    gone.register(sys.stdout.fileno(), 0)  # errors are always reported
    while not gone.poll(_LOOK_S * 1000):
        pass
    leave_quietly()


def leave_quietly():
    """Ends the program as with Ctrl-C, and discards further output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.kill(os.getpid(), signal.SIGINT)


def heed_signals():
    """Turns SIGINT (also if ignored, in the background of a shell) and SIGTERM into a KeyboardInterrupt."""

    def interrupted(*_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the first: the orderly end must not be interrupted
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
