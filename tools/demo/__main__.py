"""`python -m tools.demo [--demo]`: central system and station, one session, then whatever a person types."""

import argparse
import json
import sys
import time

from tools import terminal
from tools.csms import CentralSystem, Policy
from tools.csms.console import Console
from tools.csms.narrator import Narrator
from tools.demo.session import Session
from tools.demo.station import Station
from tools.demo.view import View
from tools.sim import CommandFailed, console

RATE = 10
KEYS = {"MeterValueSampleInterval": "60"}
HELP = f"""{console.HELP}
csms COMMAND           what the central system can ask for (csms help); help, quit"""


def play(station, csms, view):
    """Plays the session; returns what was wrong, one text each."""
    session = Session(station.charger, csms, lambda text: view.line(f"\n{text}"))
    try:
        session.play()
    except (AssertionError, ConnectionError, TimeoutError, CommandFailed) as exc:
        return [str(exc), *session.faults()]
    faults = session.faults()
    if not faults:
        view.line(f"\n{session.summary()}")
    return faults


def obey(station, csms, view):
    """Runs typed commands until "quit"; without a terminal, until Ctrl-C."""
    view.line(f"Commands:\n{HELP}")
    back_end = Console(csms)
    for line in view.typed():
        words = line.split(maxsplit=1)
        if not words:
            continue
        if words[0] in ("quit", "exit"):
            return
        if words[0] in ("help", "?"):
            view.line(HELP)
        elif words[0] == "csms":
            answer = back_end.run(words[1] if len(words) > 1 else "help")
            if answer:
                view.line(answer)
        else:
            view.line(command(station, line))


def command(station, line):
    """Runs one command of the control socket; returns its reply."""
    try:
        name, arguments = console.parse(line)
        reply = station.charger.command(name, **arguments)
    except (ValueError, ConnectionError, TimeoutError, CommandFailed) as exc:
        return str(exc)
    rest = {key: value for key, value in reply.items() if key not in ("id", "ok", "t")}
    return json.dumps(rest, indent=2) if rest else "done"


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="A charging session on this computer.")
    parser.add_argument("--demo", action="store_true", help="end after the session; exit code 0 if it was correct")
    demo = parser.parse_args().demo
    terminal.heed_signals()

    view, narrator = View(), Narrator()
    try:
        # Both sides run in the same fast time; the station keeps its own clock.
        began = time.time()
        policy = Policy(now=lambda: began + (time.time() - began) * RATE)
        with view, CentralSystem(policy=policy) as csms:
            csms.observers.append(lambda frame: view.line(narrator.line(frame)))
            with Station(csms.url, view, RATE, KEYS) as station:
                faults = play(station, csms, view)
                for fault in faults:
                    view.line(f"WRONG: {fault}")
                if faults:
                    view.line(station.charger.output())
                if demo:
                    return 1 if faults else 0
                obey(station, csms, view)
    except KeyboardInterrupt:
        return 130 if demo else 0
    except (OSError, RuntimeError) as exc:
        sys.exit(f"python -m tools.demo: {terminal.reason(exc)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
