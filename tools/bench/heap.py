"""Heap of the running station on the 32-bit build, without code: idle and during a session."""

import json

from tools.bench import wasm
from tools.bench.report import Row, Section, Table, kb
from tools.image import build

COMMAND = "python -m tools.bench heap"
_IDLE = 14 * 1024
_PEAK = 24 * 1024
_ANCHOR = "MicroOcpp on ESP32: %s"

# Steps, and the virtual milliseconds that the station runs afterwards.
_IDLE_PHASE = "idle, connected and accepted"
STORY = (
    ("running, back-end not there", "start(app.run())", 5_000),
    ("BootNotification, first StatusNotifications", "connect(app)", 8_000),
    (_IDLE_PHASE, "", 3_000),
    ("Authorize, StartTransaction", "plug()", 5_000),
    ("StatusNotification, first meter values", "charge()", 3_000),
    ("MeterValues", "", 15_000),
    ("GetConfiguration of all keys", "backend.call('GetConfiguration')", 1_000),
    ("ChangeConfiguration", "backend.call('ChangeConfiguration', key='HeartbeatInterval', value='600')", 1_000),
    ("StopTransaction", "take_card()", 8_000),
    ("idle again", "unplug()", 5_000),
)
_AFTER_DAYS = ("idle, log full of lines of 50 characters", "fill_log(app)", 1_000)
_CALLS = {
    "BootNotification",
    "StatusNotification",
    "Authorize",
    "StartTransaction",
    "MeterValues",
    "StopTransaction",
}

SOURCE = """
from station import *

def turn():
    backend.work()
    return turns.turn()
"""


def measure(scratch):
    """Returns the Section; `scratch` is a folder to work in."""
    build(scratch / "image")
    below = _below(scratch)
    phases, answers = _session(scratch)
    idle = phases[_IDLE_PHASE][0] - below
    peak = max(phases[name][1] for name, _, _ in STORY) - below
    rows = [
        Row(
            "heap of the running OCPP engine, idle",
            idle,
            _IDLE,
            kb,
            anchor=_ANCHOR % "12.3 KB",
            note=f"without code; whole station {kb(phases[_IDLE_PHASE][0])}",
            command=COMMAND,
        ),
        Row(
            "heap of the running OCPP engine, peak of a session",
            peak,
            _PEAK,
            kb,
            anchor=_ANCHOR % "21.9 KB",
            note=f"GetConfiguration answered with {answers['GetConfiguration']} bytes",
            command=COMMAND,
        ),
    ]
    details = [("board, EVSE, readers, Wi-Fi and their tasks (not the engine)", kb(below), "")]
    details += [(name, kb(used - below), kb(most - below)) for name, (used, most) in phases.items()]
    table = Table("Heap of the OCPP engine, one connector, 32-bit", ("phase", "afterwards", "most"), details)
    return Section(rows, [table])


def everything_loaded(scratch):
    """Returns Python source that loads and holds all code, so that it is not measured when it is first used."""
    image = scratch / "image"
    names = set()
    for path in image.rglob("*.mpy"):
        parts = path.relative_to(image).with_suffix("").parts
        names.add(".".join(parts[1:] if parts[0] == "lib" else parts).removesuffix(".__init__"))
    imports = "".join(f"import {name}\n" for name in sorted(names))
    return wasm.paths() + SOURCE + imports + "_held = list(sys.modules.values())\n"


def _below(scratch):
    """Returns the bytes of the parts that are not the engine."""
    steps = [
        {"name": "kernel", "run": "supervisor, clock, log = build_kernel()"},
        {"name": "below", "run": "board = build_board()\nbelow = Below(board, supervisor, clock, log)"},
        {"name": "tasks", "run": "start(supervisor.run())\nturns.wait(3000)", "turns": 1},
    ]
    result = wasm.run(scratch, steps, everything_loaded(scratch))
    return result["steps"][-1]["used"] - result["steps"][0]["used"]


def _session(scratch):
    """Returns ({phase: (bytes after it, maximum bytes during it)}, the answers to the back-end's calls)."""
    steps = [{"name": "built", "run": "app = build_app(build_board())"}]
    steps += [{"name": name, "run": f"{run}\nturns.wait({ms})", "turns": 1} for name, run, ms in (*STORY, _AFTER_DAYS)]
    steps += [{"name": "end", "run": "print(json.dumps([backend.calls(), backend.answers]))"}]
    result = wasm.run(scratch, steps, everything_loaded(scratch))
    calls, answers = json.loads(result["output"][-1])
    if not set(calls) >= _CALLS or not all(isinstance(answer, int) for answer in answers.values()):
        raise RuntimeError(f"the session on the 32-bit build failed: {result['output']}")
    begin = result["begin"]
    return {step["name"]: (step["used"] - begin, step["most"] - begin) for step in result["steps"][:-1]}, answers
