"""The 32-bit MicroPython (WebAssembly, run by node), on which heap is measured.

Pointers, small integers and objects are those of an ESP32, so sizes are too; only floats differ, which the firmware
does not use. Pins, radio, sockets and TLS, which the build lacks, are replaced by the simulated board and stubs.
"""

import json
import shutil
import subprocess
from pathlib import Path

from tools.bench.report import Skipped
from tools.image import ROOT

HERE = Path(__file__).resolve().parent
_INSTALLED = ROOT / "build" / "wasm"
_MODULE = "node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs"
_TIMEOUT_S = 120


def run(scratch, steps, before):
    """Runs steps (see run.mjs) on the image in `scratch`/image; returns the parsed result. Raises Skipped."""
    plan = {
        "module": str(_install() / _MODULE),
        "mount": {
            str(scratch / "image"): "/image",
            str(HERE / "device"): "/device",
            str(ROOT / "tools" / "sim"): "/sim/tools/sim",
        },
        "before": before,
        "steps": steps,
    }
    path = scratch / "plan.json"
    path.write_text(json.dumps(plan))
    done = subprocess.run(
        ["node", str(HERE / "run.mjs"), str(path)], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError("the 32-bit build failed:\n" + done.stderr)
    return json.loads(done.stdout)


def paths():
    """Returns Python source that makes the image and the replacements of the hardware importable."""
    return 'import sys\nsys.path[:0] = ["/device", "/sim/tools/sim/device", "/image", "/image/lib", "/sim"]\n' + (
        "import machine, network, tls\n"
    )


def _install():
    """Installs the pinned build once; returns the folder."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise Skipped(f"{program} is not installed")
    lock = (HERE.parent / "package-lock.json").read_bytes()
    installed = _INSTALLED / "package-lock.json"
    if not (_INSTALLED / _MODULE).exists() or not installed.exists() or installed.read_bytes() != lock:
        _INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE.parent / name, _INSTALLED / name)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=_INSTALLED, capture_output=True, text=True, check=False)
        if done.returncode:
            installed.unlink()
            raise Skipped("npm cannot install the 32-bit build: " + done.stderr.strip()[:300])
    return _INSTALLED
