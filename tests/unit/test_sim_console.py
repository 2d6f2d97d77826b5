# interpreters: cpython
"""What people type at the simulator's prompt."""

from harness import raises

from tools.sim.console import line, parse


def test_lines_become_commands():
    for text, wanted in (
        ("plug", ("plug", {})),
        ("plug 20", ("plug", {"cable_a": 20})),
        ("plug connector=2", ("plug", {"connector": 2})),
        ("swipe 04112233", ("rfid", {"token": "04112233"})),
        ('rfid "my card"', ("rfid", {"token": "my card"})),
        ("rfid A connectors=[1,2]", ("rfid", {"token": "A", "connectors": [1, 2]})),
        ("load 16.5 1 231", ("load", {"amps": 16.5, "phases": 1, "volts": 231})),
        ("load [16,10,0]", ("load", {"amps": [16, 10, 0]})),
        ("cp C", ("cp", {"state": "C"})),
        ("fault rcd off", ("fault", {"name": "rcd", "on": False})),
        ("net up", ("net", {"up": True})),
        ("set_key HeartbeatInterval 60", ("set_key", {"key": "HeartbeatInterval", "value": "60"})),
        ("cut next_flash_write", ("cut", {"at": "next_flash_write"})),
        ("cut 100", ("cut", {"at": 100})),
        ("clock rate=10 unix=1900000000", ("clock", {"rate": 10, "unix": 1900000000})),
    ):
        assert parse(text) == wanted, text


def test_nonsense_is_refused():
    for text in ("", "state now", "plug 1 2 3", 'rfid "open'):
        with raises(ValueError):
            parse(text)


def test_events_are_readable():
    event = {"ev": "relay", "t": 1500, "on": True, "connector": 1, "error": None}
    assert line(event) == "     1.50 s  relay   connector=1 on=True"
