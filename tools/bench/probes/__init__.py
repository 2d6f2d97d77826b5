"""Programs that measure inside MicroPython's unix port; each prints one line of JSON at its end.

They stand on the scripted parts of the unit tests: the flash in RAM, the clock that a test moves, the back-end.
"""

import json
import os
import subprocess
from pathlib import Path

from tools.image import ROOT
from tools.sim.charger import micropython

HERE = Path(__file__).resolve().parent
_HEAP = "64M"
_TIMEOUT_S = 180


def run(name):
    """Runs a probe and returns what it found. Raises RuntimeError with its output when it fails."""
    path = [".frozen", ".", "lib", "tests/unit", str(HERE.relative_to(ROOT))]
    command = [micropython(), "-X", f"heapsize={_HEAP}", str(HERE / f"{name}.py")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": ":".join(path)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines or not lines[-1].startswith("{"):
        raise RuntimeError(f"the probe {name} failed:\n{done.stdout}{done.stderr}")
    return json.loads(lines[-1])
