"""`make run`: the session it plays, the verdict it gives, what it shows."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tools.demo import session as demo
from tools.demo.view import View

ROOT = Path(__file__).resolve().parents[2]

CONNECTOR = {
    "status": "Charging",
    "cp": "C",
    "duty": 53.3,
    "amps": 32.0,
    "drawn_a": [16.0, 16.0, 15.0],
    "relay": True,
    "lock": True,
    "tx": {"id": 7, "tag": "A", "start_wh": 1000},
    "wh": 1250,
    "faults": [],
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Window:
    """A terminal window: what was written to `out` is on its `rows`, as far as the sequences that View uses go."""

    def __init__(self, columns=80, rows=24):
        self._master, slave = pty.openpty()
        self.out = open(slave, "w", encoding="utf-8")  # closed by close()
        self.rows = []
        self.resize(columns, rows)

    def resize(self, columns, rows):
        fcntl.ioctl(self.out, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._columns, self._region = columns, (0, rows - 1)
        self.rows = (self.rows + [""] * rows)[:rows]
        self._at = self._saved = (0, 0)

    def look(self):
        """Shows what has been written since; returns the rows."""
        text = b""
        while select.select([self._master], [], [], 0.05)[0]:
            text += os.read(self._master, 65536)
        for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\x1b[78]|[^\x1b]", text.decode()):
            self._show(part)
        return self.rows

    def close(self):
        self.out.close()
        os.close(self._master)

    def _show(self, part):
        row, column = self._at
        numbers = [int(n) for n in re.findall(r"\d+", part)]
        if part == "\x1b7":
            self._saved = self._at
        elif part == "\x1b8":
            self._at = self._saved
        elif part.endswith("H") and part[0] == "\x1b":
            self._at = (numbers[0] - 1, numbers[1] - 1)
        elif part.endswith("K") and part[0] == "\x1b":
            self.rows[row] = self.rows[row][:column]
        elif part == "\x1b[2J":
            self.rows = [""] * len(self.rows)
        elif part.endswith("r") and part[0] == "\x1b":
            self._region = (numbers[0] - 1, numbers[1] - 1) if numbers else (0, len(self.rows) - 1)
            self._at = (0, 0)
        elif part == "\n":
            if row == self._region[1]:
                del self.rows[self._region[0]]
                self.rows.insert(row, "")
                row -= 1
            self._at = (row + 1, column)
        elif part == "\r":
            self._at = (row, 0)
        elif part[0] != "\x1b":
            if column == self._columns:
                self._show("\r")
                self._show("\n")
                row, column = self._at
            self.rows[row] = self.rows[row].ljust(column)[:column] + part + self.rows[row][column + 1 :]
            self._at = (row, column + 1)


@pytest.fixture
def played(start_charger, csms, monkeypatch):
    """A session as `make run` plays it, half a minute short."""
    monkeypatch.setattr(demo, "MINUTES", 0.5)
    charger = start_charger(csms.url, rate=10, keys={"MeterValueSampleInterval": "10"})
    session = demo.Session(charger, csms, print)
    session.play()
    return session


def test_verdict_on_a_good_session_and_on_bad_ones(played, csms):
    assert played.faults() == []
    assert "Wh billed" in played.summary()
    transaction = csms.ledger.transactions[1]
    transaction.stop["meterStop"] += 1
    assert "counted by the meter" in played.faults()[0]
    transaction.stop["meterStop"] -= 1
    csms.violations.append("x")
    csms.ledger.problems.append("y")
    csms.ledger.repeated.append({})
    assert len(played.faults()) == 3
    transaction.stop = None
    assert "the transaction is not complete" in played.faults()


def test_verdict_on_a_session_that_did_not_happen(csms):
    assert demo.Session(None, csms, print).faults() == ["the transaction is not complete"]


def test_without_a_terminal_changes_are_lines():
    out = io.StringIO()
    with View(out) as view:
        view.panel("heading", CONNECTOR)
        view.panel("heading", CONNECTOR)
        view.panel("heading", {**CONNECTOR, "relay": False, "faults": ["diode"], "status": "Faulted"})
        view.panel("no power")
    text = out.getvalue()
    assert "\x1b" not in text
    assert text.count("contactor CLOSED") == 1 and text.count("contactor open") == 1
    assert "drawn 16.0 A" in text and "offered 32.0 A" in text and "transaction 7: 250 Wh" in text
    assert "Faulted (diode)" in text


def test_on_a_terminal_the_panel_stays_and_the_terminal_is_given_back_whole():
    out = Terminal()
    with View(out) as view:
        view.line("something")
        view.panel("no power")
        view.panel("heading", CONNECTOR)
    text = out.getvalue()
    assert text.count("\x1b7") == text.count("\x1b8")  # the cursor returns to where a person types
    assert "something\n" in text and "heading" in text
    assert text.index("\x1b[r") > text.index("heading")


BUSY = {
    **CONNECTOR,
    "status": "SuspendedEVSE",
    "lock": False,
    "wh": 123_456_789,
    "tx": {"id": 2_000_000_000, "tag": "A", "start_wh": 0},
    "duty": 100.0,
    "faults": ["temperature_sensor"],
}


def test_the_panel_fits_the_window_and_follows_it():
    """S6: nothing is cut off in 80 x 24; the panel follows the window, and leaves one that is too small."""
    window = Window()
    with View(window.out) as view:
        for n in range(40):
            view.line(f"line {n} " + "x" * (100 if n == 30 else 0))
        view.panel("Station demo, time x 10: link down, registration Accepted", BUSY)
        rows = window.look()
        text = "\n".join(rows[:5])
        for wanted in ("registration Accepted", "SuspendedEVSE (temperature_sensor)", "duty 100.0 %", "drawn 16.0 A"):
            assert wanted in text
        assert "meter 123456789 Wh   transaction 2000000000: 123456789 Wh" in text
        assert rows[4] == "─" * 80 and max(map(len, rows)) == 80
        assert rows[22].startswith("line 39") and "line 0" not in "\n".join(rows)
        for columns, height in ((132, 50), (60, 16)):
            window.resize(columns, height)
            view.panel("heading", BUSY)
            view.line("below")
            rows = window.look()
            assert rows[0] == "heading" and rows[4] == "─" * columns
            assert rows[height - 2] == "below", "lines scroll at the bottom"
        window.resize(20, 8)
        view.panel("heading", BUSY)
        view.line("all of it for lines")
        assert "─" not in "\n".join(window.look()[6:])
        view.panel("heading", BUSY)
    window.close()


def test_a_narrow_terminal_breaks_nothing():
    for columns, rows in ((1, 1), (39, 24), (40, 12), (80, 11)):
        window = Window(columns, rows)
        with View(window.out) as view:
            view.panel("heading", CONNECTOR)
            view.line("x")
        window.look()
        window.close()


def children(pid):
    """Returns the processes that a process has started, theirs included."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children(child)]
    return found


def test_a_demo_that_is_killed_takes_its_station_with_it(tmp_path):
    """S6: kill -9 of the demo."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    for line in process.stdout:
        if b"contactor CLOSED" in line:
            break
    station = [os.pidfd_open(pid) for pid in children(process.pid)]
    assert station
    process.kill()
    process.wait()
    process.stdout.close()
    for descriptor in station:
        ended, _, _ = select.select([descriptor], [], [], 5)  # readable once the process has ended
        os.close(descriptor)
        assert ended, "a process is left behind"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_alive_until_interrupted_and_leaves_nothing_behind(tmp_path, number):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tools.demo"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        for line in process.stdout:
            if b"contactor CLOSED" in line:
                break
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.stdout.close()
    assert list(tmp_path.iterdir()) == []
