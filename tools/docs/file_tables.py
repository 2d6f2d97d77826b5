"""The list of files in docs/contributing.md: every file of firmware/ and lib/, every tool, with its first sentence."""

import ast

from tools.docs.pages import ROOT

# Rooms of firmware/ in the order of their layers.
_ROOMS = ("", "ocpp", "ocpp/v16", "charging", "maintenance", "boards", "evse", "store", "drivers", "kernel")


def files(folder):
    """Returns the modules and data files below a top-level folder, as sorted paths in it; empty files are left out."""
    paths = [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.txt")]
    return sorted(path.relative_to(ROOT / folder).as_posix() for path in paths if path.stat().st_size)


def summary(path):
    """Returns the first paragraph of a module's docstring, or the first comment of a data file. Raises ValueError."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".txt":
        line = text.partition("\n")[0]
        said = line[2:] if line.startswith("# ") else ""
    else:
        said = " ".join((ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].split())
    if not said:
        raise ValueError(f"{path} does not begin with a sentence about its content")
    return said.replace("|", "\\|")


def _table(folder, names):
    """`names`: path -> name in the table."""
    yield "| file | content |"
    yield "|---|---|"
    for path in sorted(names):
        yield f"| `{names[path]}` | {summary(ROOT / folder / path)} |"


def _firmware():
    paths = files("firmware")
    unknown = {path.rpartition("/")[0] for path in paths}.difference(_ROOMS)
    if unknown:
        raise ValueError(f"_ROOMS does not have {unknown}")
    for room in _ROOMS:
        yield f"\n`firmware/{room}{'/' if room else ''}`\n"
        yield from _table("firmware", {path: path for path in paths if path.rpartition("/")[0] == room})


def _lib():
    yield from _table("lib", {path: path for path in files("lib")})


def _tools():
    """A package is listed with the sentence of its __init__."""
    names = {path: path for path in files("tools") if "/" not in path}
    for package in {path.partition("/")[0] for path in files("tools") if "/" in path}:
        names[f"{package}/__init__.py"] = f"{package}/"
    yield from _table("tools", names)


PAGE = "contributing.md"
TABLES = {"firmware": _firmware, "lib": _lib, "tools": _tools}
