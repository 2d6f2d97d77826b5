"""`make run`: the session it plays, the verdict it gives, what it shows."""

import io
import os
import signal
import subprocess
import sys
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
