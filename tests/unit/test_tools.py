# interpreters: cpython
"""Every tool explains itself (S8): --help helps and does nothing else, what is not understood is refused."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_MAIN = 'if __name__ == "__main__":'
_NOT_FOR_PEOPLE = {"tools.sim.run", "tools.sim.board", "tools.flashlog.extract"}  # run by the others, on MicroPython


def tools():
    """Returns the names of all modules that `python -m` runs."""
    names = set()
    for path in (ROOT / "tools").rglob("*.py"):
        if "node_modules" in path.parts or _MAIN not in path.read_text():
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        names.add(".".join(part for part in parts if part != "__main__"))
    return sorted(names - _NOT_FOR_PEOPLE)


def changes():
    """Returns when each file of the checkout was written last, whatever is built or cached left out."""
    found = {}
    for place in ("docs", "tools", "firmware", "lib", "tests"):
        for path in (ROOT / place).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".md", ".txt", ".json"):
                found[path] = path.stat().st_mtime_ns
    found.update((path, 0) for path in ROOT.iterdir())
    return found


def run_all(*arguments):
    """Runs all tools at a time; returns {name: (exit code, standard output, standard error)}."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    jobs = {
        name: subprocess.Popen([sys.executable, "-B", "-m", name, *arguments], cwd=ROOT, **pipes) for name in tools()
    }
    return {name: (*reversed(job.communicate(timeout=60)), job.returncode) for name, job in jobs.items()}


def test_the_tools_are_found():
    assert {"tools.docs", "tools.fault_matrix", "tools.bench", "tools.flash", "tools.sim"} <= set(tools())


def test_help_helps_and_writes_nothing():
    before = changes()
    for name, (errors, output, code) in run_all("--help").items():
        assert code == 0 and output.startswith(f"usage: python -m {name}") and not errors, (name, output, errors)
    assert changes() == before


def test_an_unknown_argument_is_refused_with_the_usage():
    before = changes()
    for name, (errors, _, code) in run_all("--no-such-thing").items():
        assert code == 2 and f"usage: python -m {name}" in errors and "Traceback" not in errors, (name, errors)
    assert changes() == before


def test_the_commands_of_the_simulator_help_as_well():
    for command in ("ctl", "run"):
        done = subprocess.run(
            [sys.executable, "-m", "tools.sim", command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0 and command in done.stdout
