# interpreters: cpython
"""The tree that is frozen into an interpreter: a station runs from it without any file beside its modules."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from folder import fresh_folder

from tools.image import freeze
from tools.sim.charger import interpreter

ROOT = Path(__file__).resolve().parents[2]

_SESSION = """
import sys
from tools.sim.bench import Bench
bench = Bench(%r)
bench.outlets[0].plug(32)
bench.run(1_500)
bench.session()
bench.run(10_000)
assert bench.word() == "charging" and bench.closed()
from firmware.ocpp.v16.rules import Rules
Rules().schema.validate("Heartbeat", {})
from firmware.drivers.meter_models import model
model("sdm630")
from firmware.evse.faults import Fault
assert Fault("emergency_stop").text == "Emergency stop pressed"
from firmware import start
sys.path.append(start.__file__.rpartition("/firmware/")[0] + "/tools/sim/device")  # with a module esp32
print(start._slots().text())
print(sys.modules["firmware.store.settings_txt"].__name__, "served")
"""


def test_a_session_runs_from_the_tree_that_is_frozen():
    """A tree of modules only is the nearest there is to an interpreter with frozen code on the host."""
    folder = Path(fresh_folder())
    freeze(folder)
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".py"}
    shutil.copytree(ROOT / "tools" / "sim", folder / "tools" / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tools" / "__init__.py").touch()
    environment = {**os.environ, "MICROPYPATH": f"{folder}:{folder}/lib:.frozen"}
    done = subprocess.run(
        [*interpreter(), "-c", _SESSION % fresh_folder()],
        cwd="/tmp",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "firmware.store.settings_txt served" in done.stdout, done.stdout + done.stderr
    assert "partition factory, not confirmed, boots: 0" in done.stdout


def test_the_manifest_lists_every_module():
    folder = Path(fresh_folder())
    freeze(folder)
    manifest = (folder / "manifest.py").read_text()
    listed = re.findall(r'^(?:module|package)\("([\w.]+)"', manifest, re.MULTILINE)
    packages = [path.name for path in (ROOT / "lib").iterdir() if path.is_dir()]
    assert sorted(listed) == sorted(["boot.py", "main.py", "rescue.py", "licences_txt.py", "firmware", *packages])
