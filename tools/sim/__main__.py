"""Command line of the simulated charger: `python -m tools.sim`.

python -m tools.sim --url ws://127.0.0.1:9000 [--rate 10]     start one, show its events, type commands
python -m tools.sim ctl HOST:PORT COMMAND [NAME=VALUE...]     send one command to a running one
python -m tools.sim run --config F --state D --control H:P    only the process, restarted after resets
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading

from tools import terminal
from tools.csms.narrator import Narrator
from tools.csms.records import Frame
from tools.sim import console
from tools.sim.charger import HEAP, RESTART_CODES, ROOT, Charger, CommandFailed, ControlClient, interpreter

_CTL_USAGE = "usage: python -m tools.sim ctl HOST:PORT COMMAND [NAME=VALUE...]"
_MAX_RATE = 1000


def main(argv):
    if argv[:1] == ["ctl"]:
        return control(argv[1:])
    if argv[:1] == ["run"]:
        return run(argv[1:])
    return interactive(argv)


def control(argv):
    """Sends one command; prints the reply."""
    if argv[:1] in (["-h"], ["--help"]):
        print(f"{_CTL_USAGE}\n\n{console.HELP}")
        return 0
    if len(argv) < 2 or ":" not in argv[0]:
        sys.exit(_CTL_USAGE)
    host, _, port = argv[0].rpartition(":")
    try:
        port = terminal.port(port)
        command, arguments = console.parse(argv[1:])
        client = ControlClient(host, port)
        print(json.dumps(client.command(command, **arguments), indent=2))
        client.close()
    except ConnectionRefusedError:
        sys.exit(f"{argv[0]}: no charger listens at this address")
    except (OSError, ValueError, CommandFailed, argparse.ArgumentTypeError) as exc:
        sys.exit(f"{argv[0]}: {exc}")
    return 0


def run(argv):
    """Runs only the process, restarts it after each reset; passes on SIGTERM and SIGINT, which stop it orderly."""
    stopped = []

    def stop(*_):
        stopped.append(True)
        process.terminate()

    while True:
        # When this process ends, so do the pipe and the charger.
        command = [*interpreter(), *HEAP, "tools/sim/run.py", *argv, "--tied"]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        code = process.wait()
        if stopped:
            return max(code, 0)  # negative: killed right after its start
        if code not in RESTART_CODES:
            return code


def rate(text):
    """Returns the time rate. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0.01 <= value <= _MAX_RATE:
        raise argparse.ArgumentTypeError(f"a rate must be from 0.01 to {_MAX_RATE}, not {text!r}")
    return value


def interactive(argv):
    parser = argparse.ArgumentParser(
        prog="python -m tools.sim",
        description="A simulated charger.",
        epilog="See also: python -m tools.sim ctl --help (a command to a running one); docs/simulator.md.",
    )
    parser.add_argument(
        "--url", type=terminal.url, default="ws://127.0.0.1:9000", help="central system, without the identity"
    )
    parser.add_argument("--id", default="cp001", help="identity at the central system")
    parser.add_argument(
        "--rate", type=rate, default=1, help="speed of time; unless it is 1, the back-end's time is ignored"
    )
    parser.add_argument("--state", help="directory for the durable state (default: a temporary one)")
    parser.add_argument("--connectors", type=int, choices=(1, 2), default=1)
    parser.add_argument("--cable", choices=("socket", "fixed"), default="socket")
    parser.add_argument(
        "--key", action="append", type=terminal.setting, default=[], metavar="NAME=VALUE", help="initial setting"
    )
    parser.add_argument("--all", action="store_true", help="also show events of the light and the queue")
    options = parser.parse_args(argv)
    terminal.heed_signals()
    screen = terminal.Terminal()
    show = Events(screen, options.id, options.all)
    try:
        charger = Charger(
            options.url,
            options.id,
            options.rate,
            keys=dict(options.key),
            directory=options.state,
            config={"hw": {"connectors": options.connectors, "cable": options.cable}},
            on_event=show,
        )
        charger.wants_messages = True
        with charger:
            screen.say(f"Control socket 127.0.0.1:{charger.port}, log in {charger.directory}/output.log")
            screen.say(f"Central system {options.url}/{options.id}. Commands:\n{console.HELP}")
            keeper = threading.Thread(target=_keep_running, args=(charger, screen), daemon=True)
            keeper.start()
            try:
                for line in screen.lines():
                    if line.strip() in ("quit", "exit", "q"):
                        break
                    if line.strip():
                        _obey(charger, line, screen)
            except KeyboardInterrupt:
                print()
            charger.stop()
    except KeyboardInterrupt:
        print()
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as exc:
        sys.exit(f"python -m tools.sim: {terminal.reason(exc)}")
    return 0


class Events:
    """Shows the events of a charger as lines; messages as in the central system's console."""

    def __init__(self, screen, identity, everything):
        self._screen = screen
        self._identity = identity
        self._everything = everything
        self._narrator = Narrator()

    def __call__(self, event):
        if event["ev"] == "message":
            # From the station's view: "in" is a message of the central system.
            direction = "in" if event["direction"] == "out" else "out"
            said = self._narrator.line(Frame(0, self._identity, direction, event["text"]))
            arrow = "→" if direction == "in" else "←"
            self._screen.say(f"{event['t'] / 1000:9.2f} s  {arrow}{said[1:]}")
        elif self._everything or event["ev"] not in console.QUIET:
            self._screen.say(console.line(event))


def _obey(charger, line, screen):
    try:
        if line.strip() in ("help", "?"):
            screen.say(console.HELP)
            return
        command, arguments = console.parse(line)
        reply = charger.command(command, **arguments)
        rest = {key: value for key, value in reply.items() if key not in ("id", "ok", "t")}
        if rest:
            screen.say(json.dumps(rest, indent=2))
    except (CommandFailed, ConnectionError, TimeoutError, ValueError) as exc:
        screen.say(str(exc))


def _keep_running(charger, screen):
    """Restarts the charger after each reset and power loss."""
    while True:
        code = charger.process.wait()
        if code in (0, 1, 2) or not charger.directory.exists():
            return
        charger.wait_exit()
        screen.say(f"-- the charger has ended ({code}) and starts again")
        try:
            charger.start()
        except (OSError, RuntimeError) as exc:
            screen.say(f"-- {terminal.reason(exc)}")
            return


if __name__ == "__main__":
    # A closed pipe, as in `python -m tools.sim ctl ... | head`, is not an error.
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
