# interpreters: cpython
"""The log of a station is read without a byte sent to it, also across a reset that makes its port vanish."""

import os
import pty
import tty

import pytest

from tools.serial_port import PortError, SerialPort


class Cable:
    """A port whose name stays while what is behind it comes and goes, as the USB of an ESP32-S3 does."""

    def __init__(self, path):
        self.path = path
        self._master = None
        self.plug()

    def plug(self):
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        self._slave = slave

    def write(self, text):
        os.write(self._master, text.encode())

    def sent(self):
        """Returns whether anything was sent to the board."""
        os.set_blocking(self._master, False)
        try:
            return os.read(self._master, 100)
        except BlockingIOError:
            return b""

    def unplug(self):
        os.close(self._slave)
        os.close(self._master)
        self.path.unlink()


def test_lines_come_across_a_port_that_vanishes(tmp_path):
    cable = Cable(tmp_path / "ttyACM0")
    with SerialPort(str(cable.path)) as port:
        lines = port.lines(10)
        cable.write("one\r\ntw")
        assert next(filter(None, lines)) == "one"
        cable.write("o\r\n")
        assert next(filter(None, lines)) == "two"
        assert cable.sent() == b""
        cable.unplug()
        assert next(lines) == ""  # as long as it is away
        cable.plug()
        line = ""
        while not line:
            cable.write("three\r\n")
            line = next(lines)
        assert line == "three"
    assert cable.sent() == b""


def test_what_is_silent_for_the_time_ends():
    master, slave = pty.openpty()
    tty.setraw(slave)
    with SerialPort(os.ttyname(slave)) as port:
        assert set(port.lines(0.2)) == {""}


def test_a_board_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("tools.serial_port._ANSWER_S", (0.1, 0.1))
    monkeypatch.setattr("tools.serial_port._SILENCE_S", 0.1)
    master, slave = pty.openpty()
    tty.setraw(slave)
    with SerialPort(os.ttyname(slave)) as port, pytest.raises(PortError, match="does not answer as MicroPython"):
        port.interrupt()
