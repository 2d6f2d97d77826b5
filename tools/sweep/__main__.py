"""Command line of the fault sweep: `python -m tools.sweep --help`, or `make sweep`."""

import argparse
import asyncio
import os
import sys
import tempfile
import time

from tools.sweep.site import install_board

install_board()

from tools.sweep import flash, scenario  # noqa: E402
from tools.sweep.faults import FILE_KINDS, KINDS, Sweep  # noqa: E402
from tools.sweep.loop import VirtualLoop  # noqa: E402
from tools.sweep.site import Site  # noqa: E402

_FOLDERS = ("firmware/evse/", "firmware/charging/", "firmware/store/")


def arguments():
    parser = argparse.ArgumentParser(
        prog="python -m tools.sweep",
        description="Raises an exception at every executed line of evse/, charging/ and store/, and refuses every file "
        "call of the store, while sessions run on two connectors; each in a run of its own. Ends with 1 for failures.",
    )
    parser.add_argument("--scenario", choices=scenario.NAMES, action="append", help="scenario to run (default: all)")
    parser.add_argument("--kind", choices=KINDS + FILE_KINDS, action="append", help="exception to raise (default: all)")
    parser.add_argument("--file", help="only lines of files whose path contains this")
    parser.add_argument("--line", type=int, help="only this line")
    parser.add_argument("--sample", type=int, help="number of random points of each scenario, instead of all")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample and the later executions (default 1)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="parallel runs")
    parser.add_argument("--verbose", action="store_true", help="show the station's log of each failure")
    return parser.parse_args()


class Report:
    """Prints failures as they occur, and counts runs."""

    def __init__(self, verbose):
        self._verbose = verbose
        self.runs = self.starts = self.failures = 0
        self.places = set()
        self.done = set()  # first executions that have been tried, see Sweep.run()

    def __call__(self, point, execution, kind, outcome):
        self.runs += 1
        self.places.add((point.where, point.name))
        self.starts += outcome["start"]
        if not outcome["broken"]:
            return
        self.failures += 1
        place = point.where + (" " + point.name if point.name else "")
        print("%s %s (execution %d): %s" % (place, kind, execution, "; ".join(outcome["broken"])), flush=True)
        if self._verbose:
            print("".join("    %s\n" % line for line in outcome["log"]), end="", flush=True)


def sweep(name, options, report):
    """Sweeps one scenario; returns the number of points."""

    def play(sweep):
        memory = flash.Flash()
        loop = VirtualLoop()
        site = Site(loop, memory, socket=name != "fixed", meter=name != "no-meter")
        try:
            loop.run_until_complete(_lived(site, name, sweep))
        finally:
            sweep.child_ends()
        if site.broken:
            raise SystemExit("without a fault: %s\n%s" % ("; ".join(site.broken), "\n".join(site.log)))

    sweeping = Sweep(play, _FOLDERS, options.workers, report)
    if options.file or options.line:
        sweeping.only = lambda where: (
            (options.file or "") in where and (not options.line or where.endswith(":%d" % options.line))
        )
    kinds = options.kind or KINDS + FILE_KINDS
    sweeping.run(
        [kind for kind in KINDS if kind in kinds],
        [kind for kind in FILE_KINDS if kind in kinds],
        report.done,
        options.sample,
        options.seed,
    )
    return len(sweeping.points)


async def _lived(site, name, sweep):
    try:
        site.watch = lambda: sweep.watch(site)
        await scenario.live(site, name)
    except Exception as exc:
        if site.injected_ms is None:
            raise
        site.fail("the run ended: %r" % exc)


def main():
    options = arguments()
    flash.install()
    with tempfile.TemporaryDirectory() as folder:
        # Unloaded modules are loaded again in each run: from here, not from their source.
        sys.pycache_prefix, sys.dont_write_bytecode = folder, False
        sys.exit(_sweep_all(options))


def _sweep_all(options):
    report = Report(options.verbose)
    begun = time.monotonic()
    for name in options.scenario or scenario.NAMES:
        runs, failures = report.runs, report.failures
        points = sweep(name, options, report)
        print(
            "%-9s %5d points executed, %5d runs, %3d failures, %d s"
            % (name, points, report.runs - runs, report.failures - failures, time.monotonic() - begun),
            flush=True,
        )
    print(
        "%d places swept in %d runs; in %d of them the station did not start but the next start succeeded; %d failures"
        % (len(report.places), report.runs, report.starts, report.failures)
    )
    return 1 if report.failures else 0


if __name__ == "__main__":
    asyncio.set_event_loop(None)
    main()
