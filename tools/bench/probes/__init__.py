"""Measuring programs for MicroPython's unix port; each prints one line of JSON at its end.

They use the scripted parts of the unit tests: flash in RAM, virtual clock, back-end.
"""

import json
import os
import subprocess
from pathlib import Path

from tools.image import ROOT
from tools.sim.charger import interpreter

HERE = Path(__file__).resolve().parent
_HEAP = "64M"
_TIMEOUT_S = 180


def run(name, heap=_HEAP):
    """Runs a probe and returns its result. Raises RuntimeError with its output when it fails."""
    return result(start(name, heap))


def start(name, heap=_HEAP):
    """Starts a probe in the background; result() ends it if it is still running."""
    return subprocess.Popen(
        [*interpreter(), "-X", f"heapsize={heap}", str(HERE / f"{name}.py")],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment():
    """Returns the environment in which MicroPython finds firmware, libraries and the parts of the unit tests."""
    path = [".frozen", ".", "lib", "tests/unit", str(HERE.relative_to(ROOT))]
    return {**os.environ, "MICROPYPATH": ":".join(path)}


def result(process):
    """Closes the stdin of a probe, waits for its end and returns its result."""
    try:
        output, errors = process.communicate(timeout=_TIMEOUT_S)
    finally:
        process.kill()
    lines = output.splitlines()
    if process.returncode or not lines or not lines[-1].startswith("{"):
        raise RuntimeError(f"the probe {process.args[-1]} failed:\n{output}{errors}")
    return json.loads(lines[-1])
