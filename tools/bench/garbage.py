"""What a station allocates while it charges and nothing happens: each 32 KB, or a reserve, is a collection."""

from tools.bench import probes
from tools.bench.report import Row, Section, Table, count

COMMAND = "python -m tools.bench garbage"
_BUDGET = 600
_HEAP = "4M"  # each look at it takes as long as it is large


def bytes_per_second(number):
    return count(number) + " B/s"


def measure(scratch):
    found = probes.run("garbage", _HEAP)
    tasks = sorted(((number, name) for name, number in found.items() if number), reverse=True)
    row = Row(
        "garbage while charging and nothing happens",
        sum(found.values()),
        _BUDGET,
        bytes_per_second,
        "5 700 B/s with the simulator at version 0.1",
        "64 bit, simulator taken off, no back-end; " + ", ".join(f"{name} {number}" for number, name in tasks[:4]),
        COMMAND,
    )
    details = [(name, bytes_per_second(number)) for number, name in tasks]
    return Section([row], [Table("Garbage while charging, by task", ("task", "garbage"), details)])
