"""Flash use of a transaction, power losses at every write, and 10 000 waiting messages."""

from tools.bench import probes
from tools.bench.report import Row, Section, count, kb

COMMAND = "python -m tools.bench flash"
_FLASH_BYTES = 2 << 20


def measure(_):
    return Section(_transaction() + _power_cuts() + _offline())


def _transaction():
    found = probes.run("transaction_flash")
    erases, programmed = found["ours"]
    their_erases, their_programmed = found["micro_ocpp"]
    note = f"{found['samples']} samples delivered; mean of {found['transactions']}; everything the station writes"
    anchor = "MicroOcpp's pattern: %s, samples in RAM only"
    return [
        Row(
            "flash erases per 1 h transaction with 60 samples",
            erases,
            8,
            lambda n: f"{n:.3g}",
            anchor=anchor % f"{their_erases:.0f}",
            note=note,
            command=COMMAND,
        ),
        Row(
            "flash programmed per 1 h transaction with 60 samples",
            programmed,
            24 * 1024,
            kb,
            anchor=anchor % kb(their_programmed),
            note=note,
            command=COMMAND,
        ),
    ]


def _power_cuts():
    found = probes.run("power_cut")
    note = f"{found['cuts']} cuts, at every program and erase, clean and torn"
    return [
        Row(
            f"power cut at every flash write of a transaction: {what}",
            found[what],
            0,
            count,
            anchor="MicroOcpp: a torn file is a silent loss" if what == "lost" else "",
            note=note if what != "duplicated" else f"{found['repeated']} sent again as their answer was cut off",
            command=COMMAND,
        )
        for what in ("lost", "duplicated", "corrupt")
    ]


def _offline():
    found = probes.run("offline")
    rate = found["messages"] * 1000 / found["delivered_ms"]
    return [
        Row(
            "transaction messages kept without a link and delivered in order",
            found["messages"] if found["in_order"] else 0,
            10_000,
            count,
            anchor="MicroOcpp: 4 transactions",
            note=f"{kb(found['used'])} of {kb(_FLASH_BYTES)} flash; {count(rate)} messages/s out of the journal",
            command=COMMAND,
            least=True,
        )
    ]
