"""`python -m tools.csms`: a central system with a live console."""

import argparse
import sys
import time

from tools import terminal
from tools.csms.console import HELP, Console
from tools.csms.narrator import Narrator
from tools.csms.policy import Policy
from tools.csms.server import CentralSystem


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.csms", description="A small OCPP-J 1.6 central system.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this computer only)")
    parser.add_argument("--port", type=terminal.port, default=9000)
    parser.add_argument("--password", help="password of the stations (HTTP basic authentication)")
    options = parser.parse_args()
    terminal.heed_signals()

    system = CentralSystem(options.port, options.host, Policy(password=options.password))
    narrator, told, screen = Narrator(), [], terminal.Terminal()

    def show(frame):
        at = time.strftime("%H:%M:%S", time.localtime(frame.t))
        screen.say(f"{at} {frame.station} {narrator.line(frame)}")
        for violation in system.violations[len(told) :]:
            told.append(violation)
            screen.say(f"         ! {violation}")

    system.observers.append(show)
    try:
        system.start()
    except OSError as exc:
        system.stop()
        why = terminal.reason(exc)
        sys.exit(f"cannot listen on {options.host}:{options.port}: {why}; choose another --host or --port")
    screen.say(f"Stations connect to {system.url}/<identity>. Commands:\n{HELP}")
    console = Console(system)
    try:
        for line in screen.lines():
            answer = console.run(line)
            if answer is None:
                break
            if answer:
                screen.say(answer)
    except KeyboardInterrupt:
        print()
    finally:
        system.stop()


if __name__ == "__main__":
    main()
