# interpreters: cpython
"""Who may import whom: the allow-list of rooms, imports inside functions and by name included."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Room -> what it may import besides itself. `app` stands for the modules that lie in firmware/ itself.
ALLOWED = {
    "kernel": {"lib"},
    "store": {"kernel", "lib"},
    "evse": {"kernel", "lib"},
    "drivers": {"kernel", "lib"},
    "connectivity": {"kernel", "lib"},
    "boards": {"drivers", "kernel", "evse.ports"},
    "security": {"store", "kernel", "lib"},
    "charging": {"evse", "store", "kernel"},
    "ocpp": {"charging", "security", "store", "kernel", "lib"},
    "maintenance": {"charging", "security", "store", "kernel", "lib"},
    "portal": {"charging", "maintenance", "security", "connectivity", "store", "kernel", "lib"},
    "app": None,  # everything
    "lib": set(),
}
# Modules of the interpreter that only some rooms may touch.
HARDWARE = {"machine", "network", "esp32", "bluetooth"}
HARDWARE_ROOMS = {"drivers", "connectivity", "boards", "app"}
NETWORK = {"socket", "ssl", "tls", "ntptime"}
NETWORK_ROOMS = {"connectivity", "lib", "ocpp", "portal", "maintenance", "security", "app"}

_PACKAGES = {path.name for path in (ROOT / "lib").iterdir()}
_MODULE_NAME = re.compile(r"firmware(\.[a-z_0-9]+)+")


def imports(source):
    """Returns the dotted names that a source text imports: `from a import b` as a.b, module names in texts as they are.

    A text that is the name of a module counts: __import__() and tables of features loaded late take such.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _MODULE_NAME.fullmatch(node.value.rstrip(".")):
                names.add(node.value.rstrip("."))
    return names


def room_of(path):
    parts = path.relative_to(ROOT).parts
    if parts[0] == "lib":
        return "lib"
    return parts[1] if len(parts) > 2 else "app"


def target(name):
    """Returns (room, module below the room) that an imported name belongs to; (None, "") for the interpreter's own."""
    parts = name.split(".")
    if parts[0] == "firmware":
        if len(parts) > 1 and (ROOT / "firmware" / parts[1]).is_dir():
            return parts[1], parts[2] if len(parts) > 2 else ""
        return "app", ""
    return ("lib", parts[0]) if parts[0] in _PACKAGES else (None, "")


def mistakes(room, source):
    """Returns what `source`, a module of `room`, imports without being allowed to."""
    allowed = ALLOWED[room]
    found = []
    for name in sorted(imports(source)):
        top = name.split(".")[0]
        other, module = target(name)
        if top in {"tools", "tests"}:
            found.append(name)
        elif top in HARDWARE and room not in HARDWARE_ROOMS:
            found.append(name)
        elif top in NETWORK and room not in NETWORK_ROOMS:
            found.append(name)
        elif other and other != room and allowed is not None and not allowed & {other, f"{other}.{module}"}:
            found.append(name)
    return found


def sources():
    for directory in ("firmware", "lib"):
        for path in sorted((ROOT / directory).rglob("*.py")):
            yield path, path.read_text()


def test_each_room_imports_only_what_it_may():
    found = {str(path): mistakes(room_of(path), source) for path, source in sources()}
    assert not {path: names for path, names in found.items() if names}


def test_a_driver_is_seen_however_it_is_imported():
    for room in ("ocpp", "charging"):
        for source in (
            "from firmware.drivers import lock",
            "import firmware.drivers.lock",
            "def late():\n    from firmware.drivers.lock import Lock",
            "def late():\n    return __import__('firmware.drivers.lock')",
            "TABLE = {'Lock': 'firmware.drivers.'}",
            "from firmware import drivers",
        ):
            assert mistakes(room, source), (room, source)
    assert mistakes("evse", "import socket") and mistakes("store", "import machine")
    assert mistakes("boards", "from firmware.evse.machine import Machine")
    assert mistakes("lib", "from firmware.kernel import clock")
    assert not mistakes("boards", "from firmware.evse.ports import Drivers")


def test_what_knows_no_version_of_ocpp_imports_none():
    """So that v201/ can stand beside v16/ over the same link, protocol, peer, outbox and schema engine."""
    found = {}
    for path in (ROOT / "firmware" / "ocpp").glob("*.py"):
        found[path.name] = [name for name in imports(path.read_text()) if name.startswith("firmware.ocpp.v")]
    assert len(found) > 15 and not {name: names for name, names in found.items() if names}


def test_every_room_has_its_place():
    found = {path.parent.name for path in (ROOT / "firmware").glob("*/__init__.py")}
    assert found <= set(ALLOWED), found - set(ALLOWED)


def test_what_lives_on_refers_to_nothing_that_only_builds_the_station():
    """App drops it; a module that imports it when it is loaded itself would keep all of it in the heap."""
    tree = ast.parse((ROOT / "firmware" / "app.py").read_text())
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    scaffolding = next(ast.literal_eval(node.value) for node in assigned if node.targets[0].id == "_SCAFFOLDING")

    def only_builds(name):
        return any(name == known or name.startswith(known + ".") for known in scaffolding)

    living, waiting = set(), ["firmware.app", "firmware.assembly"]
    while waiting:
        name = waiting.pop()
        path = (ROOT / name.replace(".", "/")).with_suffix(".py")
        if name in living or not path.exists():
            continue
        living.add(name)
        wanted = set()
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom):
                wanted |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        if not only_builds(name):
            assert not [other for other in wanted if only_builds(other)], path
        waiting += wanted
    assert len(living) > 50 and "firmware.fitting" in living


def test_imports_stand_at_the_top():
    """Whole features are loaded late by the tables of their packages; only what builds the station is dropped again."""
    builds = {ROOT / "main.py", ROOT / "firmware" / "start.py", ROOT / "firmware" / "app.py"}
    found = []
    for path, source in [*sources(), (ROOT / "main.py", (ROOT / "main.py").read_text())]:
        for function in ast.walk(ast.parse(source)):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and path not in builds:
                found += [path for node in ast.walk(function) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert not found


def test_every_feature_that_is_loaded_late_is_there():
    """The tables behind __getattr__: each name is defined in the module that its row names."""
    tables = 0
    for path, source in sources():
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_FEATURES":
                tables += 1
                for name, module in ast.literal_eval(node.value).items():
                    defined = ast.parse((path.parent / f"{module}.py").read_text()).body
                    assert name in {getattr(item, "name", None) for item in defined}, (path, name)
    assert tables >= 5
