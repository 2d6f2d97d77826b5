"""Heap of the loaded code on the 32-bit build: of a station that has charged, and of every module of the image."""

import ast
from pathlib import Path

from tools.bench import wasm
from tools.bench.heap import SOURCE, STORY
from tools.bench.report import Row, Section, Table, kb
from tools.image import ROOT, build

COMMAND = "python -m tools.bench code"

# A station has one of the boards; em4100 is only imported by a board that has such a reader.
_BOARD = "firmware.boards.esp32s3_reference"
_OTHER_BOARDS = ("firmware.boards.esp32_wrover", "firmware.boards.simulated")

_SHOWN_MODULES = 12

# What the platform brings is not charged to the module that imports it first.
_PLATFORM = """
import array, asyncio, binascii, collections, errno, hashlib, io, json, os, random, re, select, struct, time, vfs
asyncio.Event, asyncio.Lock, asyncio.gather, asyncio.wait_for
"""

# The table of names (interned strings) grows in large steps, each of which would fall on the module that needs it. So
# modules are measured with a table that has space for all names, and the table in a separate run.
_MAKE_ROOM = """
_names = 0
_before = gc.mem_alloc()
while gc.mem_alloc() - _before < 12_000:
    _before = gc.mem_alloc()
    for _ in range(8):
        hasattr(gc, "name%d" % _names)
        _names += 1
"""


# What stands in for the hardware is loaded beforehand: it is no code of the station.
_STAND_INS = """
import turns
import tools.sim.world.clock, tools.sim.world.meter_emulator, tools.sim.world.pn532_emulator, tools.sim.world.world
"""


def measure(scratch):
    """Returns the Section; `scratch` is a folder to work in."""
    build(scratch / "image")
    units = [name for name in in_order(dependencies(ROOT)) if name not in _OTHER_BOARDS]
    modules = {}
    for module, unit, _ in _files(ROOT):
        modules.setdefault(unit, []).append(f"import {module}\n")
    steps = [{"name": name, "run": "".join(modules[name])} for name in units]
    whole = wasm.run(scratch, steps, wasm.paths() + _PLATFORM)
    total = whole["steps"][-1]["used"] - whole["begin"]
    single = wasm.run(scratch, steps, wasm.paths() + _PLATFORM + _MAKE_ROOM)
    sizes = {}
    used = single["begin"]
    for step in single["steps"]:
        sizes[step["name"]] = step["used"] - used
        used = step["used"]
    charged = _after_a_session(scratch, "".join(step["run"] for step in steps))
    lines = source_lines(ROOT)
    packages = {}
    for name, size in sizes.items():
        weight = packages.setdefault(package_of(name), [0, 0])
        weight[0] += size
        weight[1] += lines[name]
    per_line = total / sum(lines[name] for name in sizes)
    row = Row(
        "heap of all loaded code, 32-bit build",
        charged,
        unit=kb,
        anchor="16 B per source line",
        note="a default station that has registered, charged and shown its settings; the rest is loaded when wanted",
        command=COMMAND,
    )
    everything = Row(
        "heap of all code there is, loaded at once",
        total,
        unit=kb,
        anchor="16 B per source line",
        note=f"{per_line:.1f} B per source line of {sum(lines[n] for n in sizes)}; board {_BOARD.rpartition('.')[2]}",
        command=COMMAND,
    )
    rows = [(name, kb(size), str(count)) for name, (size, count) in sorted(packages.items())]
    names = total - sum(sizes.values())
    rows.append(("table of names", kb(names), ""))
    rows.append(("total", kb(total), str(sum(lines[name] for name in sizes))))
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:_SHOWN_MODULES]
    return Section(
        [row, everything],
        [
            Table("Heap of loaded code per package", ("package", "heap", "source lines"), rows),
            Table(
                "The largest modules",
                ("module", "heap", "source lines"),
                [(name, kb(size), str(lines[name])) for name, size in largest],
            ),
        ],
    )


def _after_a_session(scratch, imports):
    """Returns the bytes of code that a station holds that has charged.

    The same is done twice, the second time with all modules loaded before, and held: the difference is the code.
    """
    steps = [{"name": "load", "run": SOURCE}, {"name": "build", "run": "app = build_app(build_board())"}]
    steps += [{"name": name, "run": f"{run}\nturns.wait({ms})", "turns": 64} for name, run, ms in STORY]
    stand_ins = wasm.paths() + _PLATFORM + _STAND_INS
    loaded = stand_ins + imports + "_held = list(sys.modules.values())\n"
    grown = []
    for before in (stand_ins, loaded):
        result = wasm.run(scratch, steps, before)
        grown.append(result["steps"][-1]["used"] - result["begin"])
    return grown[0] - grown[1]


def package_of(name):
    parts = name.split(".")
    if parts[0] != "firmware":
        return "lib/" + parts[0]
    return "firmware/" + parts[1] if len(parts) > 2 else "firmware"


def dependencies(root):
    """Returns {unit: units that it imports}; a unit is a module of the firmware, or a package of lib/ as a whole."""
    files = list(_files(root))
    known = {module for module, _, _ in files}
    graph = {}
    for _module, unit, path in files:
        wanted = graph.setdefault(unit, set())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            wanted.update(_unit_of(name) for name in names if name in known)
        wanted.discard(unit)
    return graph


def in_order(graph):
    """Returns the units so that each comes after those that it imports; packages of lib/ and low layers first."""
    done = []

    def visit(unit):
        if unit not in done and unit not in visiting:
            visiting.add(unit)
            for other in sorted(graph[unit]):
                visit(other)
            done.append(unit)

    visiting = set()
    for unit in sorted(graph, key=lambda name: (name.startswith("firmware"), name)):
        visit(unit)
    return done


def source_lines(root):
    """Returns {unit: lines of source, blank ones and comments included}."""
    lines = {}
    for _, unit, path in _files(root):
        lines[unit] = lines.get(unit, 0) + len(path.read_text().splitlines())
    return lines


def _files(root: Path):
    """Yields (module, unit, path) of every source file of the image."""
    for tree, base in (("firmware", root), ("lib", root / "lib")):
        for path in sorted((root / tree).rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            module = ".".join(parts)
            yield module, _unit_of(module), path


def _unit_of(module):
    # __init__ of a library imports its modules, so they cannot be measured separately.
    return module if module.startswith("firmware") else module.partition(".")[0]
