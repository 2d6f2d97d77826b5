"""The tools for people: what makes no sense is said in one line, and what ends around them is no trouble (S5 to S7)."""

import json
import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tools.sim import Charger, free_port
from tools.sim.charger import ROOT, interpreter

PATIENCE_S = 20


def run(*arguments, **options):
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL, **options
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["tools.csms", "--port", "70000"], "a port must be a number from 1 to 65535"),
        (["tools.csms", "--port", "http"], "a port must be a number from 1 to 65535"),
        (["tools.csms", "--host", "no.such.host.invalid", "--port", "9999"], "cannot listen on no.such.host.invalid"),
        (["tools.sim", "--url", "http://x"], "begin with ws:// or wss://"),
        (["tools.sim", "--url", "ws://x:99999"], "port from 1 to 65535"),
        (["tools.sim", "--url", "ws://:9000"], "has no host"),
        (["tools.sim", "--rate", "0"], "a rate must be from"),
        (["tools.sim", "--key", "HeartbeatInterval"], "NAME=VALUE"),
        (["tools.sim", "--state", "/dev/null/x"], "/dev/null/x"),
        (["tools.sim", "--id", ""], "ocpp.id"),
        (["tools.sim", "ctl", "127.0.0.1:99999", "state"], "a port must be a number"),
        (["tools.sim", "ctl", "127.0.0.1:1", "state"], "no charger listens at this address"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(arguments, words):
    """S6: port or URL that makes no sense, on the command lines."""
    done = run(*arguments)
    assert done.returncode not in (0, 64, 65, 66)
    assert words in done.stderr and "Traceback" not in done.stderr
    assert words in done.stderr.splitlines()[-1]


def start(tmp_path, control, config=None, **options):
    (tmp_path / "config.json").write_text(json.dumps(config or {}))
    command = [*interpreter(), "tools/sim/run.py", "--config", str(tmp_path / "config.json")]
    command += ["--state", str(tmp_path / "state"), "--control", control]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, **options)


@pytest.mark.parametrize(
    "control, config, words",
    [
        ("127.0.0.1:0", None, "port from 1 to 65535"),
        ("127.0.0.1:70000", None, "port from 1 to 65535"),
        ("192.0.2.1:9000", None, "192.0.2.1:9000: this computer does not have this address"),
        ("127.0.0.1:9000", {"ocpp": {"url": "ws://host:0"}}, "port from 1 to 65535"),
        ("127.0.0.1:9000", {"ocpp": {"url": "ws:///path"}}, "has no host"),
        ("127.0.0.1:9000", {"ocpp": {"url": "ws://a host"}}, "has no host"),
    ],
)
def test_the_process_says_what_is_wrong(tmp_path, control, config, words):
    """S6: the same in the configuration and of the control address."""
    done = start(tmp_path, control, config)
    assert done.returncode in (1, 2)
    assert words in done.stderr and done.stderr.count("\n") == 1


def test_a_disk_that_is_full_is_said(tmp_path):
    """S6: no room for the flash image."""

    def small():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = start(tmp_path, f"127.0.0.1:{free_port()}", preexec_fn=small)
    assert done.returncode == 1
    assert "the file would be too large" in done.stderr and done.stderr.count("\n") == 1
    assert "flash.img" not in " ".join(os.listdir(tmp_path / "state")), "no half an image is left"


@pytest.mark.parametrize("tool", [["tools.csms", "--port", "{port}"], ["tools.sim", "--url", "ws://127.0.0.1:{port}"]])
def test_the_end_of_stdin_is_not_the_end(tool):
    """S6: without anybody who types they wait, and end on SIGTERM."""
    command = [word.replace("{port}", str(free_port())) for word in tool]
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    said = ""
    while "Commands:" not in said:
        said = process.stdout.readline()
        assert said
    time.sleep(0.5)  # what is tested: that nothing happens
    assert process.poll() is None
    process.terminate()
    process.stdout.read()
    process.stdout.close()
    assert process.wait(PATIENCE_S) == 0


def test_a_reader_that_goes_away_ends_them_quietly():
    """S6: `| head`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.sim", "--url", f"ws://127.0.0.1:{free_port()}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE_S) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_second_charger_is_refused_in_one_line(tmp_path):
    """S6: two chargers on one state folder."""
    with Charger(directory=tmp_path):
        done = run("tools.sim", "--state", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "another charger runs on" in done.stderr


def test_a_checkout_that_was_moved_goes_on(tmp_path):
    """S6: the scripts in .venv/bin name a path that is not there any more."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for script in ("micropython", "mpremote"):
        shutil.copy(ROOT / ".venv/bin" / script, bin_ / script)
        text = (bin_ / script).read_text()
        (bin_ / script).write_text(text.replace(text.splitlines()[0], "#!/was/here/.venv/bin/python"))
    code = "import sys; from tools.sim.charger import interpreter; print(interpreter())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PATH": str(bin_)}, capture_output=True, text=True
    )
    assert str(bin_) not in done.stdout and "micropython_unix" in done.stdout
    makefile = (ROOT / "Makefile").read_text()
    assert not [line for line in makefile.splitlines() if "$(BIN)/" in line and "$(BIN)/python" not in line
                and "$(BIN)/pip" not in line and "$(VENV)/bin" not in line]  # fmt: skip


class Person:
    """Somebody at a terminal of 80 x 24."""

    def __init__(self, *arguments):
        pid, self._terminal = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.environ["TERM"] = "xterm"
            os.execv(sys.executable, [sys.executable, "-m", *arguments])
        self.pid = pid
        self.seen = ""

    def sees(self, text):
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self._terminal], [], [], 0.1)[0]:
                self.seen += os.read(self._terminal, 65536).decode(errors="replace")

    def types(self, text):
        os.write(self._terminal, text.encode())

    def leaves(self):
        self.types("quit\r")
        try:
            while os.read(self._terminal, 65536):
                pass
        except OSError:
            pass  # the terminal has no other end any more
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_the_console_has_a_prompt_and_shows_messages_and_no_lamps(csms):
    """S7: no `led` line a second, a prompt, and what goes over the WebSocket; a half-typed line is not torn."""
    person = Person("tools.sim", "--url", csms.url, "--rate", "10")
    person.sees("→ BootNotification")
    person.sees("← BootNotification.conf status=Accepted")
    person.types("plug 20\r")
    person.sees("→ StatusNotification")
    person.types("unpl")
    csms.call("TriggerMessage", requestedMessage="Heartbeat")
    person.sees("→ Heartbeat")
    person.sees("> unpl")
    person.types("ug\r")
    person.sees("status=Available")
    assert " led " not in person.seen
    assert person.leaves() == 0
