"""A shortened fault sweep, and the proof that one finds what is broken. `make sweep` does all of it."""

import os
import random
import subprocess
import sys

from tools.sim.charger import ROOT

_SHORT = ("--scenario", "socket", "--scenario", "restart", "--sample", "60")

_PLANTED = """
import sys
from tools.sweep.site import install_board
install_board()
from firmware.store.journal import Journal
Journal._once = lambda self, kind, tx, connector, payload, known: self._append(kind, payload, True)
import tools.sweep.__main__ as sweep
sys.argv = ["sweep", "--scenario", "socket", "--file", "store/running.py", "--kind", "MemoryError"]
sweep.main()
"""


def _run(*command):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )


def test_a_sample_of_lines_and_file_calls_is_survived():
    seed = random.randrange(1_000_000)
    done = _run("-m", "tools.sweep", *_SHORT, "--seed", str(seed))
    assert done.returncode == 0, "seed %d\n%s%s" % (seed, done.stdout, done.stderr)


def test_a_sweep_finds_an_end_that_is_written_twice():
    done = _run("-c", _PLANTED)
    assert done.returncode == 1 and "twice" in done.stdout, done.stdout + done.stderr
