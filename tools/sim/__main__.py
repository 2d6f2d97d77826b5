"""`python -m tools.sim`: a simulated charger for people.

python -m tools.sim --url ws://127.0.0.1:9000 [--rate 10]     start one, see its events, type commands
python -m tools.sim ctl HOST:PORT COMMAND [NAME=VALUE...]     one command to one that runs
python -m tools.sim run --config F --state D --control H:P    only the process, restarted and stopped as it should be
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading

from tools.sim import console
from tools.sim.charger import RESTART_CODES, ROOT, Charger, CommandFailed, ControlClient, micropython


def main(argv):
    if argv[:1] in (["ctl"], ["run"]) and argv[1:2] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if argv[:1] == ["ctl"]:
        return control(argv[1:])
    if argv[:1] == ["run"]:
        return run(argv[1:])
    return interactive(argv)


def control(argv):
    """Sends one command; prints the reply."""
    if len(argv) < 2 or ":" not in argv[0]:
        sys.exit("usage: python -m tools.sim ctl HOST:PORT COMMAND [NAME=VALUE...]")
    host, _, port = argv[0].rpartition(":")
    try:
        command, arguments = console.parse(argv[1:])
        client = ControlClient(host, int(port))
        print(json.dumps(client.command(command, **arguments), indent=2))
        client.close()
    except (OSError, ValueError, CommandFailed) as exc:
        sys.exit(f"{argv[0]}: {exc}")
    return 0


def run(argv):
    """Runs the bare process, again after each reset; passes SIGTERM and SIGINT on, which stop it in an orderly way."""
    stopped = []

    def stop(*_):
        stopped.append(True)
        process.terminate()

    while True:
        process = subprocess.Popen([micropython(), "tools/sim/run.py", *argv], cwd=ROOT)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        code = process.wait()
        if stopped:
            return max(code, 0)  # negative: it had only just started, and nothing ran yet
        if code not in RESTART_CODES:
            return code


def interactive(argv):
    parser = argparse.ArgumentParser(prog="python -m tools.sim", description="A simulated charger.")
    parser.add_argument("--url", default="ws://127.0.0.1:9000", help="central system, without the identity")
    parser.add_argument("--id", default="cp001", help="identity at the central system")
    parser.add_argument("--rate", type=float, default=1, help="how many times faster time runs")
    parser.add_argument("--state", help="directory of what survives a power cut (default: a temporary one)")
    parser.add_argument("--connectors", type=int, choices=(1, 2), default=1)
    parser.add_argument("--cable", choices=("socket", "fixed"), default="socket")
    parser.add_argument("--key", action="append", default=[], metavar="NAME=VALUE", help="configuration at delivery")
    options = parser.parse_args(argv)
    charger = Charger(
        options.url,
        options.id,
        options.rate,
        keys=dict(key.split("=", 1) for key in options.key if "=" in key),
        directory=options.state,
        config={"hw": {"connectors": options.connectors, "cable": options.cable}},
        on_event=lambda event: print(console.line(event), flush=True),
    )
    try:
        with charger:
            print(f"Control socket 127.0.0.1:{charger.port}, output in {charger.directory}/output.log\n{console.HELP}")
            threading.Thread(target=_keep_running, args=(charger,), daemon=True).start()
            for line in sys.stdin:
                if line.strip() in ("quit", "exit", "q"):
                    break
                if line.strip():
                    _obey(charger, line)
            charger.stop()
    except KeyboardInterrupt:
        print()
    return 0


def _obey(charger, line):
    try:
        command, arguments = console.parse(line)
        reply = charger.command(command, **arguments)
        rest = {key: value for key, value in reply.items() if key not in ("id", "ok", "t")}
        if rest:
            print(json.dumps(rest, indent=2))
    except (CommandFailed, ConnectionError, TimeoutError, ValueError) as exc:
        print(exc)


def _keep_running(charger):
    """Starts the charger again after each reset and each power cut, as its power supply would."""
    while True:
        code = charger.process.wait()
        if code == 0 or not charger.directory.exists():
            return
        charger.wait_exit()
        print(f"-- the charger has ended ({code}) and starts again", flush=True)
        charger.start()


if __name__ == "__main__":
    # A reader that has gone, as in `python -m tools.sim ctl ... | head`, is no error.
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
