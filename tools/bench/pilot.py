"""Reads of the pilot in one control step, counted in a whole station above the simulated circuit."""

from tools.bench import probes
from tools.bench.report import Row, Section, count

COMMAND = "python -m tools.bench pilot"

_READ_US = 50  # with the Python around it
_BUDGET_MS = 4


def measure(scratch):
    found = probes.run("pilot_reads")
    most = max(found.values())
    offers = ", ".join(f"{found[offer]} at {int(offer) // 1000} A" for offer in sorted(found, key=int))
    return Section(
        [
            Row(
                "pilot reads per control step and connector",
                most,
                _BUDGET_MS * 1000 // _READ_US,
                count,
                "100 at version 0.1",
                f"{most * _READ_US / 1000:.2g} ms at {_READ_US} us a read; {offers}",
                COMMAND,
            )
        ]
    )
