"""Runs mutants against the tests that execute the changed line, some at a time."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.mutants.plugin import ROOT

_TESTS = ["tests/unit", "tests/property"]
_MEMORY = 4 << 30  # a mutant that never stops to collect is ended, not the computer
_AT_LEAST_S = 30  # a mutant that hangs is killed after this and some times of what its tests take


def _pytest(task, arguments, timeout=None):
    """Runs pytest with a task for the plugin; returns its exit code and output. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        file = Path(folder) / "task.json"
        file.write_text(json.dumps(task))
        tests = Path(folder) / "tests.txt"
        tests.write_text("\n".join(arguments))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "tools.mutants.plugin", "-p", "no:xdist"]
            + ["-p", "no:cacheprovider", "--tb=line", f"--basetemp={folder}/base", f"@{tests}"],
            cwd=ROOT,
            env={**os.environ, "WALLBOX_MUTANT": str(file), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY)),
            text=True,
            errors="replace",
        )
    return done.returncode, done.stdout


class Suite:
    """The tests on CPython, and which lines of `files` each of them executes."""

    def __init__(self, files):
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            report = Path(folder) / "lines.json"
            code, output = _pytest({"report": str(report), "files": files}, _TESTS)
            if code:
                raise SystemExit(f"the tests fail without any mutant:\n{output[-3000:]}")
            recorded = json.loads(report.read_text())
        self._lines = {
            test: {file: set(lines) for file, lines in where.items()} for test, where in recorded["lines"].items()
        }
        self._seconds = recorded["seconds"]

    def tests_for(self, mutant):
        """Returns the tests to run for a mutant, the likeliest and quickest first."""
        stem = Path(mutant.path).stem
        files = [(test, where[mutant.path]) for test, where in self._lines.items() if mutant.path in where]
        found = [test for test, lines in files if mutant.line in lines]
        if mutant.where == "module" or "." not in mutant.where:
            found = found or [test for test, _ in files]  # what happens when the module is imported
        return sorted(found, key=lambda test: (stem not in test.partition("::")[0], self._seconds.get(test, 0)))

    def verdict(self, mutant, source):
        """Returns "killed", "timeout", "survived" or "no test"."""
        tests = self.tests_for(mutant)
        if not tests:
            return "no test"
        limit = _AT_LEAST_S + 5 * sum(self._seconds.get(test, 0) for test in tests)
        try:
            code, _ = _pytest({"path": mutant.path, "source": mutant.apply(source)}, ["-x", *tests], limit)
        except subprocess.TimeoutExpired:
            return "timeout"
        return "killed" if code else "survived"


def run(sample, files, jobs, tell):
    """Calls tell(mutant, verdict) for every (mutant, source) of `sample`."""
    suite = Suite(files)
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [(mutant, pool.submit(suite.verdict, mutant, source)) for mutant, source in sample]
        for mutant, verdict in waiting:
            tell(mutant, verdict.result())
