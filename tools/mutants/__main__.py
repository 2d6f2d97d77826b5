"""Mutation tests: the share of small mistakes in the firmware that the tests detect."""

import argparse
import os
import random
import sys
from collections import Counter
from pathlib import Path

from tools.mutants.mutate import mutants
from tools.mutants.plugin import ROOT
from tools.mutants.run import run

_ROOMS = {"evse": 95, "charging": 90, "ocpp": 90, "store": 90}  # percent that must be killed
_WHOLE = ("machine", "pilot_input", "pilot_output", "plug", "supervision")
_EQUIVALENT = Path(__file__).with_name("equivalent.txt")


def whole(path):
    """Returns True for a file whose mutants are all tried: the connector's step and its supervision."""
    return path.startswith("firmware/evse/") and any(word in path for word in _WHOLE)


def find(paths):
    """Returns [(mutant, source)] of the given files."""
    found = []
    for path in paths:
        source = (ROOT / path).read_text()
        found += [(mutant, source) for mutant in mutants(path, source)]
    return found


def keys(found):
    """Returns {mutant: key}; the second of two equal mutants of a function has " #2" after its key."""
    seen, result = Counter(), {}
    for mutant, _ in found:
        seen[mutant.key] += 1
        result[mutant] = mutant.key + (f" #{seen[mutant.key]}" if seen[mutant.key] > 1 else "")
    return result


def equivalent():
    """Returns {key: reason} of the mutants without an observable effect."""
    lines = (line for line in _EQUIVALENT.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.rsplit(" : ", 1) for line in lines)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("paths", nargs="*", help="files to mutate completely; default: a sample of all rooms")
    parser.add_argument("--count", type=int, default=300, help="size of the sample (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="parallel runs (%(default)s)")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    options = parser.parse_args()
    paths = [str(Path(path).resolve().relative_to(ROOT)) for path in options.paths] or [
        str(path.relative_to(ROOT)) for room in _ROOMS for path in sorted((ROOT / "firmware" / room).rglob("*.py"))
    ]
    found = find(paths)
    names, excused = keys(found), equivalent()
    chosen = found
    if not options.paths:
        chosen = [pair for pair in found if whole(pair[0].path)]
        rest = [pair for pair in found if not whole(pair[0].path)]
        chosen += random.Random(options.seed).sample(rest, min(options.count, len(rest)))
    chosen = [pair for pair in chosen if names[pair[0]] not in excused]
    if options.list:
        for mutant, _ in chosen:
            print(names[mutant])
        return
    print(f"{len(chosen)} of {len(found)} mutants, seed {options.seed}; {len(excused)} have no observable effect")
    sys.exit(report(chosen, options.jobs, names))


def report(chosen, jobs, names):
    """Runs the mutants, prints survivors and the shares by room; returns 1 when a share is too low."""
    counts = Counter()

    def tell(mutant, verdict):
        room = mutant.path.split("/")[1]
        counts[room] += 1
        if verdict in ("killed", "timeout"):
            counts[room, "killed"] += 1
        else:
            print(f"{verdict}: {mutant}\n    {names[mutant]}", flush=True)

    run(chosen, jobs, tell)
    short = 0
    for room, least in _ROOMS.items():
        if counts[room]:
            percent = 100 * counts[room, "killed"] / counts[room]
            short |= percent < least
            print(f"{room}: {counts[room, 'killed']} of {counts[room]} killed, {percent:.1f} % (at least {least} %)")
    return int(short)


if __name__ == "__main__":
    main()
