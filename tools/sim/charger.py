"""Charger: starts and drives a simulated charger from Python (process, flash, commands, events)."""

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.sim.client import CommandFailed, ControlClient, matches

ROOT = Path(__file__).resolve().parents[2]
# A large heap would make collections too slow for a simulation at high speed.
HEAP = ("-X", "heapsize=2M")
RESTART_CODES = (64, 65, 66)  # soft reset, hard reset, watchdog or update

_START_S = 20
_STOP_S = 5
_EVENT_S = 5
_SHOWN_EVENTS = 15


def free_port():
    """Returns a free TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def interpreter():
    """Returns the beginning of a command line that runs MicroPython's unix port.

    Not the script in .venv/bin: it contains the path of the checkout where .venv was made, and a checkout may be moved
    or copied.
    """
    if importlib.util.find_spec("micropython_unix"):
        return [sys.executable, "-c", "import sys; from micropython_unix import main; sys.exit(main())"]
    found = shutil.which("micropython")
    if not found:
        raise FileNotFoundError("micropython is not installed: see requirements.txt")
    return [found]


def merged(base, changes):
    """Returns a copy of a nested dict, updated by `changes`."""
    result = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if nested else value
    return result


class Charger:
    """A charger that is started with `start()` (or `with`), can be cut off, restarted and inspected.

    `url`       central system without the identity; None: a port without a listener
    `keys`      initial settings {configuration key: text}
    `directory` for flash and other durable state; a temporary one by default, which `close()` removes
    `config`    other parts of the configuration file (docs/simulator.md), which override the other arguments

    Commands raise CommandFailed when the charger refuses them, ConnectionError when it does not run.
    """

    program = "tools/sim/run.py"
    default_keys = {}  # default {configuration key: text} for all chargers of this process

    def __init__(self, url=None, identity="cp001", rate=1, keys=None, directory=None, config=None, on_event=None):
        self._temporary = directory is None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="charger-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = merged(
            {
                "ocpp": {
                    "id": identity,
                    "url": url or f"ws://127.0.0.1:{free_port()}",
                    "reconnect": {"min_s": 1, "max_s": 3, "jitter_s": 0},
                },
                "identity": {"vendor": "micropython-wallbox", "model": "Simulator", "serial": identity},
                "keys": {**self.default_keys, **(keys or {})},
                "sim": {"time_rate": rate},
            },
            config or {},
        )
        self.port = free_port()
        self.process = None
        self.client = None
        self.wants_messages = False  # subscribe to `message` events (OCPP messages), too
        self._on_event = on_event
        self._past = []  # events before the last start
        self._seen = {}  # event name -> number of events that expect() has consumed

    # Start and end

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc_info):
        self.close()

    @property
    def state_directory(self):
        return self.directory / "state"

    def start(self):
        """Switches the power on and waits for the control socket. Raises RuntimeError with the process's output."""
        config = self.directory / "config.json"
        config.write_text(json.dumps(self.config))
        command = [*interpreter(), *HEAP, self.program, "--config", str(config), "--state", str(self.state_directory)]
        command += ["--control", f"127.0.0.1:{self.port}", "--tied"]
        with open(self.directory / "output.log", "ab") as log:
            began = log.tell()
            # Its stdin is a pipe that ends with this process in any case. No session of its own: a session leader
            # would take a UART's tty as its controlling terminal.
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.client = ControlClient("127.0.0.1", self.port, on_event=self._on_event)
                self.client.command("subscribe", messages=self.wants_messages)
                return self
            except OSError:
                time.sleep(0.01)
        self._bury()
        said = self.output()[began:].strip()
        raise RuntimeError(f"the charger did not start: {said or 'no output'}")

    def stop(self):
        """Stops the charger orderly; returns the exit code."""
        try:
            self.command("exit")
        except ConnectionError:
            pass  # it has ended by itself
        return self.wait_exit(_STOP_S)

    def kill(self):
        """Power loss at this instant (SIGKILL)."""
        self.process.kill()
        return self.wait_exit(_STOP_S)

    def cut(self, at="now", timeout=30):
        """Power loss now, at the next flash write ("next_flash_write"), or after a number of bytes written."""
        try:
            self.command("cut", at=at)
        except ConnectionError:
            pass  # it ended before it could reply
        return self.wait_exit(timeout) if at == "now" else None

    def wait_exit(self, timeout=30):
        """Waits until the process ends by itself; returns its exit code. Raises subprocess.TimeoutExpired."""
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.poll() is not None:
                self._bury()

    def restart(self):
        """Switches the power on again, with the same flash; a running charger is killed first."""
        if self.running:
            self.kill()
        return self.start()

    def close(self):
        """Ends the charger and removes its temporary directory."""
        if self.running:
            self.kill()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def output(self):
        """Returns the output (stdout and stderr) of all starts."""
        path = self.directory / "output.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _bury(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        if self.client:
            self.client.close()
            self._past += self.client.events
            self.client = None

    # Commands

    def command(self, cmd, /, **arguments):
        """Sends a command to the control socket, without arguments that are None; returns the reply."""
        if self.client is None:
            raise ConnectionError("the charger is not running")
        return self.client.command(cmd, **{key: value for key, value in arguments.items() if value is not None})

    def plug(self, cable_a=32, connector=1):
        self.command("plug", connector=connector, cable_a=cable_a)

    def unplug(self, connector=1):
        self.command("unplug", connector=connector)

    def cp(self, state, connector=1):
        self.command("cp", connector=connector, state=state)

    def load(self, amps, phases=None, volts=None, connector=1):
        self.command("load", connector=connector, amps=amps, phases=phases, volts=volts)

    def draw(self, amps, phases=None, connector=1):
        """The vehicle requests current and draws `amps` once the contactor is closed."""
        self.load(amps, phases, connector=connector)
        self.cp("C", connector)

    def swipe(self, token, connectors=None):
        self.command("rfid", token=token, connectors=connectors)

    def fault(self, name, on=True, vendor_code=None, connector=1):
        self.command("fault", connector=connector, name=name, on=on, vendor_code=vendor_code)

    def meter(self, connector=1, **arguments):
        return self.command("meter", connector=connector, **arguments)["wh"]

    def button(self, name, connector=1, on=None):
        self.command("button", connector=connector, name=name, on=on)

    def clock(self, **arguments):
        self.command("clock", **arguments)

    def network(self, up):
        self.command("net", up=up)

    def set_key(self, key, value):
        return self.command("set_key", key=key, value=value)["needs"]

    # State and events

    def state(self):
        """Returns the snapshot of the whole charger."""
        return self.command("state")

    def connector(self, number=1):
        """Returns the snapshot of one connector."""
        return self.state()["connectors"][number - 1]

    @property
    def events(self):
        """All events since this object was created, oldest first."""
        return self._past + (self.client.events if self.client else [])

    def expect(self, name, /, timeout=_EVENT_S, **fields):
        """Returns the next event with this name and fields, after those that expect() has consumed before.

        Raises AssertionError when it does not come.
        """

        def find():
            events = self.events
            for index in range(self._seen.get(name, 0), len(events)):
                if matches(events[index], name, fields):
                    self._seen[name] = index + 1
                    return events[index]
            return None

        return self._wait(find, timeout, name, fields)

    def wait_event(self, name, /, timeout=_EVENT_S, **fields):
        """Waits for the first event with this name and fields since the beginning; returns it."""

        def find():
            return next((event for event in self.events if matches(event, name, fields)), None)

        return self._wait(find, timeout, name, fields)

    def wait_state(self, timeout=_EVENT_S, connector=1, **fields):
        """Waits until the snapshot of a connector has these fields; returns it. A callable value is called."""
        deadline = time.monotonic() + timeout
        while True:
            snapshot = self.connector(connector)
            if all(
                wanted(snapshot[key]) if callable(wanted) else snapshot[key] == wanted for key, wanted in fields.items()
            ):
                return snapshot
            assert time.monotonic() < deadline, f"no state {fields}, but {snapshot}"
            time.sleep(0.02)

    def wait_boot(self, timeout=_START_S):
        """Waits until the central system has accepted the charger."""
        deadline = time.monotonic() + timeout
        while self.state()["boot"] != "Accepted":
            assert time.monotonic() < deadline, "not accepted by the central system\n" + self.output()
            time.sleep(0.02)

    def _wait(self, find, timeout, name, fields):
        found = self.client.wait_for(find, timeout) if self.client else find()
        if found is None:
            recent = "\n".join(str(event) for event in self.events[-_SHOWN_EVENTS:])
            raise AssertionError(f"no event {name} {fields} in {timeout} s; the last ones:\n{recent}")
        return found


__all__ = ["Charger", "CommandFailed", "ControlClient", "RESTART_CODES", "free_port"]
