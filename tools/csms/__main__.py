"""`python -m tools.csms`: a central system with a live console."""

import argparse
import sys
import time

from tools.csms.console import HELP, Console
from tools.csms.narrator import Narrator
from tools.csms.policy import Policy
from tools.csms.server import CentralSystem


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.csms", description="A small OCPP-J 1.6 central system.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this computer only)")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--password", help="what stations must present (HTTP basic authentication)")
    options = parser.parse_args()

    system = CentralSystem(options.port, options.host, Policy(password=options.password))
    narrator, told = Narrator(), []

    def show(frame):
        print(time.strftime("%H:%M:%S", time.localtime(frame.t)), frame.station, narrator.line(frame), flush=True)
        for violation in system.violations[len(told) :]:
            told.append(violation)
            print("         !", violation, flush=True)

    system.observers.append(show)
    try:
        system.start()
    except OSError as exc:
        sys.exit(f"cannot listen on port {options.port}: {exc.strerror}")
    print(f"Stations connect to {system.url}/<identity>. Commands:\n{HELP}")
    console = Console(system)
    try:
        for line in sys.stdin:
            answer = console.run(line)
            if answer is None:
                break
            if answer:
                print(answer)
    except KeyboardInterrupt:
        print()
    finally:
        system.stop()


if __name__ == "__main__":
    main()
