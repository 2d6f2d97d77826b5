"""The serial port of a board: what mpremote's own transport does, with errors in words, and the log of the station.

with SerialPort("/dev/ttyACM0") as port:
    port.interrupt()
    print(port.run("print(1 + 1)"))
    port.reset()
    for line in port.lines(10):
        ...
"""

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

# A pty is read byte by byte until one comes: without a time-out mpremote would wait for ever.
_SILENCE_S = 2
# How long the board is given to answer, each time that it is asked: what is sent to one that is booting is lost.
_ANSWER_S = (1.5, 3, 5, 5)
_REOPEN_S = 0.2
_LOOK_S = 0.05
_WORKING_S = 180  # the board copies and compares a whole version
_WATCHDOG_MS = 3_600_000

# First of all: the watchdog of a station that is interrupted resets the board after half a minute, and nothing can stop
# it. Where a watchdog has never been armed this arms one, for an hour.
_HOLD_OFF = f"""
try:
    import machine
    machine.WDT(timeout={_WATCHDOG_MS})
except (ImportError, AttributeError, ValueError, OSError):
    pass
"""


class PortError(OSError):
    """The port cannot be used, or the board does not answer; the text says why, for a person."""


class BoardError(RuntimeError):
    """What was run on the board has failed; the text is the last line of its traceback."""


class SerialPort:
    """`name` is whatever mpremote takes: /dev/ttyACM0, COM3, socket://host:port. Raises PortError."""

    def __init__(self, name: str):
        self._name = name
        self._transport = self._open()
        self._stopped = False  # the board has given its raw REPL
        self._busy = False  # something was sent to the board whose end was not seen

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def _open(self) -> SerialTransport:
        try:
            return SerialTransport(self._name, timeout=_SILENCE_S)
        except (TransportError, serial.SerialException, ValueError):
            raise PortError(self._why_not_open()) from None

    def _why_not_open(self) -> str:
        there = [f"{port.device} ({port.description})" for port in list_ports.comports()]
        if self._name.startswith("/dev/") and Path(self._name).exists():
            return f"{self._name} cannot be opened: another program uses it, or you are not in its group (dialout)"
        return f"there is no port {self._name}: " + (
            "there are " + ", ".join(sorted(there)) if there else "nor any other"
        )

    def close(self) -> None:
        try:
            self._transport.close()
        except OSError:
            pass  # it was unplugged

    # -- the REPL

    def interrupt(self) -> None:
        """Stops what runs on the board, holds off its watchdog and starts the interpreter anew, without main.py."""
        self._enter(soft_reset=False)
        self.run(_HOLD_OFF)
        self._busy = True
        self._enter(soft_reset=True)
        self._busy = False

    def _enter(self, soft_reset: bool) -> None:
        """Asks for the raw REPL, more than once: a program may be in the middle of something when Ctrl-C comes."""
        for seconds in _ANSWER_S:
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # it prints what it did not expect
                    self._transport.enter_raw_repl(soft_reset=soft_reset, timeout_overall=seconds)
                self._stopped = True
                return
            except TransportError:
                continue
            except (serial.SerialException, OSError) as error:
                raise PortError(f"{self._name}: {error}") from None
        raise PortError(
            f"the board at {self._name} does not answer as MicroPython: is it installed (make micropython), "
            "and is this its port?"
        )

    def run(self, code: str) -> str:
        """Runs code on the board and returns what it prints. Raises BoardError, PortError."""
        self._busy = True
        try:
            output, error_output = self._transport.exec_raw(code, timeout=_WORKING_S)
        except (TransportError, serial.SerialException, OSError) as error:
            raise PortError(f"the board at {self._name} is gone: {error}") from None
        self._busy = False
        if error_output:
            raise BoardError(error_output.decode(errors="replace").strip().splitlines()[-1])
        return output.decode(errors="replace").replace("\r\n", "\n")

    def reset(self) -> None:
        """Starts the board as power-on does, whatever it is doing, if it was stopped."""
        if not self._stopped:
            return
        try:
            if self._busy:
                self._enter(soft_reset=False)
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        except (TransportError, serial.SerialException, OSError):
            pass  # a board with USB of its own goes away at once
        self._stopped = self._busy = False

    # -- the log

    def lines(self, seconds: float | None = None) -> Iterator[str]:
        """Yields what the board writes, line by line, for a time or for ever; "" now and then when it is silent.

        Nothing is sent, so the station goes on. A port that vanishes in a reset is opened again.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        rest = b""
        while deadline is None or time.monotonic() < deadline:
            try:
                data = self._read()
            except (serial.SerialException, OSError):
                self.close()
                time.sleep(_REOPEN_S)
                try:
                    self._transport = self._open()
                except PortError:
                    pass  # not yet
                data = b""
            if not data:
                yield ""
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace").rstrip("\r")

    def _read(self) -> bytes:
        """Returns what has come, after a short while at most. Raises SerialException when the port has vanished."""
        port = self._transport.serial
        port.timeout = _LOOK_S
        try:
            return port.read(port.in_waiting or 1)
        finally:
            port.timeout = _SILENCE_S
