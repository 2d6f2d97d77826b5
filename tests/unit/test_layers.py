# interpreters: cpython
"""The directions of the arrows: each layer of the firmware imports only from the layers below it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A package sees those of lower rank, and itself. Those of equal rank do not know each other.
RANK = {
    "kernel": 0,
    "evse": 1,
    "store": 1,
    "drivers": 1,
    "boards": 2,
    "charging": 3,
    "maintenance": 4,
    "portal": 5,
    "ocpp": 5,
}
HARDWARE_AND_NETWORK = {"machine", "network", "esp32", "socket", "ssl", "tls", "bluetooth", "ntptime"}


def imports(path):
    """Returns the dotted names that a file imports, `from a import b` as a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def firmware():
    """Yields (path, package, imported names) of all firmware modules that belong to a layer."""
    for path in sorted((ROOT / "firmware").rglob("*.py")):
        parts = path.relative_to(ROOT / "firmware").parts
        if len(parts) > 1:
            yield path, parts[0], imports(path)


def test_firmware_imports_only_downwards():
    for path, package, names in firmware():
        for name in names:
            parts = name.split(".")
            if parts[0] == "firmware" and len(parts) > 2 and parts[1] in RANK:
                assert parts[1] == package or RANK[parts[1]] < RANK[package], f"{path} imports {name}"


def test_evse_and_charging_know_neither_hardware_nor_network():
    for path, package, names in firmware():
        if package in ("evse", "charging"):
            assert not {name.split(".")[0] for name in names} & HARDWARE_AND_NETWORK, path


def test_nothing_on_the_board_knows_the_host():
    for directory in ("firmware", "lib"):
        for path in (ROOT / directory).rglob("*.py"):
            assert not {name.split(".")[0] for name in imports(path)} & {"tools", "tests"}, path


def test_general_packages_know_nothing_of_a_wallbox():
    for path in (ROOT / "lib").rglob("*.py"):
        assert "firmware" not in {name.split(".")[0] for name in imports(path)}, path


def test_every_package_has_its_place():
    found = {path.parent.name for path in (ROOT / "firmware").glob("*/__init__.py")}
    assert found <= set(RANK), found - set(RANK)


def test_what_lives_on_refers_to_nothing_that_only_builds_the_station():
    """App unloads it; a module that imports it when it is loaded itself would keep all of it in the heap."""
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
    assert len(living) > 50 and "firmware.boards.fitting" in living
