"""SerialBoard: a simulated board behind a serial port (pty), to test mpremote and other tools of a real board.

    with SerialBoard() as board:
        subprocess.run(["mpremote", "connect", board.port, "fs", "ls"])

Between the pty and the process of the board (`board.py`) it does what a board's UART and bootloader do: Ctrl-C
interrupts a running program, a soft reset restarts the interpreter, machine.reset() and an unfed watchdog reboot. The
power returns by itself after each power loss.
"""

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import tempfile
import termios
import threading
import time
import tty
from pathlib import Path

from tools.sim.charger import HEAP, ROOT, free_port, interpreter, merged
from tools.sim.client import ControlClient

FLASH_KIB = 6144  # the file system of a board with 8 MB: two versions and the data

_CTRL_A = b"\x01"
_CTRL_C = b"\x03"
_PROMPT = b">>> "
_UART_BUFFER = 256
_RESET_CODES = (64, 65, 66)


class SerialBoard:
    """`directory` keeps the flash (a temporary one by default), `config` is the configuration of the simulator, `heap`
    what the interpreter has.

    starts   how often the board has been started until now: by power, reset, watchdog
    """

    def __init__(self, directory=None, config=None, heap=HEAP):
        self._temporary = directory is None
        self.directory = Path(directory or tempfile.mkdtemp(prefix="board-")).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.control_port = free_port()
        self._config = self.directory / "config.json"
        self._config.write_text(json.dumps(merged({"sim": {"flash_kib": FLASH_KIB}}, config or {})))
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._child = None  # (pid, file descriptor of its console)
        self._at_prompt = False
        self._interrupted = False  # Ctrl-C came and has not been passed on
        self._typed = b""  # what came for the REPL while a program ran
        self._seen = b""  # end of the child's output, to find the prompt in
        self._ended = False
        self._heap = heap
        self._bitten = False  # the watchdog has ended the process
        self.starts = 0
        self._console = bytearray()
        self._written = threading.Condition()
        self._thread = threading.Thread(target=self._pass_on, daemon=True)

    def __enter__(self):
        self._power_on()
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._ended = True
        self._kill()
        self._thread.join(5)
        os.close(self._master)
        os.close(self._slave)
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def control(self, timeout=10):
        """Returns a ControlClient of the board; raises ConnectionError when no firmware serves it in time."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return ControlClient("127.0.0.1", self.control_port)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def console(self):
        """Returns what the board has written to its serial port since power-on."""
        return self._console.decode(errors="replace")

    def wait_console(self, text, timeout=30):
        """Waits until the board has written `text` to its serial port; raises TimeoutError."""
        with self._written:
            if not self._written.wait_for(lambda: text in self.console(), timeout):
                raise TimeoutError(f"{text!r} not on the console:\n{self.console()[-2000:]}")

    def interrupt(self):
        """Sends Ctrl-C, as if typed at the console."""
        self._interrupted = True
        self._interrupt(self._child[0])

    def cut(self):
        """The power goes now, and comes back."""
        self._kill()

    def cut_after(self, count):
        """In the next start the power goes when `count` bytes have been written to the flash, and comes back."""
        (self.directory / "cut_after").write_text(str(count))

    def _power_on(self, raw=False):
        if not raw:  # a soft reset does not stop the watchdog
            (self.directory / "watchdog").unlink(missing_ok=True)
            self.starts += 1
        command = [*interpreter(), *self._heap, str(ROOT / "tools/sim/board.py"), "--config", str(self._config)]
        command += ["--state", str(self.directory), "--control", f"127.0.0.1:{self.control_port}"]
        master, slave = pty.openpty()
        tty.setraw(slave)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for descriptor in (0, 1, 2):
                os.dup2(slave, descriptor)
            os.closerange(3, 256)
            os.chdir(ROOT)
            os.execv(command[0], command + (["--raw"] if raw else []))
        os.close(slave)
        self._child = (pid, master)
        self._at_prompt = False
        self._seen = b""
        self._typed = b""
        self._interrupted = False

    def _kill(self):
        if self._child:
            try:
                os.kill(self._child[0], signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has just ended by itself

    def _pass_on(self):
        """Carries bytes both ways until the end; looks after the life of the child."""
        while not self._ended:
            self._look_at_watchdog()
            pid, console = self._child
            ready = select.select([self._master, console], [], [], 0.2)[0]
            if console in ready and not self._from_board(console):
                os.close(console)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                if not self._ended:
                    self._restart(code)
                continue
            if self._master in ready:
                self._to_board(os.read(self._master, 4096), pid, console)

    def _look_at_watchdog(self):
        """Does what the hardware does when the time in the file of tools/sim/device/machine.py has come."""
        try:
            bites_at = int((self.directory / "watchdog").read_text())
        except (OSError, ValueError):
            return  # not armed, or just being written
        if time.time() * 1000 > bites_at and not self._bitten:
            self._bitten = True
            self._kill()

    def _from_board(self, console):
        """Passes on what the board writes; returns False when its process has ended."""
        try:
            data = os.read(console, 4096)
        except OSError:
            return False
        if data:
            self._seen = (self._seen + data)[-64:]
            if not self._at_prompt and _PROMPT in self._seen:
                self._at_prompt = True
                os.write(console, self._typed)
            self._interrupt(self._child[0])
            with self._written:
                self._console += data
                self._written.notify_all()
            os.write(self._master, data)
        return bool(data)

    def _to_board(self, data, pid, console):
        if self._at_prompt:
            os.write(console, data)
            return
        # While a program runs, a board's UART sees Ctrl-C at once and keeps what comes after it for the REPL.
        before, interrupt, after = data.rpartition(_CTRL_C)
        if interrupt:
            self._typed = b""
            self._interrupted = True
            self._interrupt(pid)
        self._typed = (self._typed + after)[-_UART_BUFFER:]

    def _interrupt(self, pid):
        """Passes Ctrl-C on. A process that has not written anything yet is still starting, and would die of it."""
        if self._interrupted and self._seen and not self._at_prompt:
            self._interrupted = False
            os.kill(pid, signal.SIGINT)

    def _restart(self, code):
        """The interpreter has ended: by machine.reset(), or by Ctrl-D in the raw REPL, a soft reset."""
        if code == -signal.SIGKILL and self._bitten:
            (self.directory / "reset_cause").write_text("watchdog")
        if code in _RESET_CODES or code == -signal.SIGKILL:
            self._bitten = False
            self._power_on()
            return
        if code != 0:
            self._console += b"\r\nthe board's process has died with exit code %d\r\n" % code
            self._child = None
            self._ended = True
            return
        os.write(self._master, b"\r\nMPY: soft reboot\r\n")
        self._power_on(raw=True)
        console = self._child[1]
        output = b""
        while _PROMPT not in output:
            output += os.read(console, 4096)
        os.write(console, _CTRL_A)
        self._at_prompt = True
