"""Gives the private names of device code one or two letters in the image, each module the same ones again.

MicroPython keeps one copy of every name that any module uses, and seven bytes for its place in a table that doubles
when it is full. A quarter of our names are private to one module, so that others may use the same word for another
thing. Only the image is changed, and no line of it moves: a traceback shows file and line as before, but the short name
of a private function. What has a meaning elsewhere keeps its name: whatever a second module or a string mentions, and
all that a module uses but does not define.
"""

import ast
import builtins
import io
import itertools
import string
import tokenize


class NotShortened(Exception):
    """The code has something in it that makes renaming unsafe."""


def shortened(sources):
    """Returns {path: source} with short private names, given {path: source} of all modules of one program."""
    trees = {path: ast.parse(source) for path, source in sources.items()}
    mentioned = set().union(*(_mentioned(tree) for tree in trees.values()))
    own = {path: _defined(path, tree) - mentioned for path, tree in trees.items()}
    users = {}
    for path, source in sources.items():
        for name in {token.string for token in _names(source)}:
            users.setdefault(name, set()).add(path)
    short = [name for name in itertools.islice(_short_names(), 1000) if name not in users]
    result = {}
    for path, source in sources.items():
        wanted = sorted(name for name in own[path] if users[name] == {path})
        result[path] = _renamed(source, dict(zip(wanted, short)))
    return result


def _mentioned(tree):
    """Returns the names that a module has in a place where they cannot be replaced, in any module therefore."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            # The tokenizer of Python 3.11 does not look into f-strings.
            names.update(getattr(part, "id", getattr(part, "attr", None)) for part in ast.walk(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)  # getattr()
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def _defined(path, tree):
    """Returns the private names that a module defines."""
    names, constants = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            # Short names of two modules on one object could be the same: only those of one's own objects.
            if ast.unparse(node.value) in ("self", "cls"):
                names.add(node.attr)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            _check_bases(path, node, tree)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if getattr(node.value.func, "id", "") == "const":
                constants.update(target.id for target in node.targets)  # the compiler leaves nothing of it
    return {name for name in names - constants if name.startswith("_") and not name.startswith("__")}


def _check_bases(path, node, tree):
    """Objects of a class that derives from one of another module would have the short names of both."""
    here = {item.name for item in tree.body if isinstance(item, ast.ClassDef)}
    for base in getattr(node, "bases", ()):
        name = ast.unparse(base)
        if name not in here and not hasattr(builtins, name):
            raise NotShortened(f"{path}:{node.lineno}: {node.name} derives from {name} of another module")


def _renamed(source, names):
    lines = source.splitlines(keepends=True)
    for token in reversed(list(_names(source))):
        new = names.get(token.string)
        if new:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + new + line[column + len(token.string) :]
    return "".join(lines)


def _names(source):
    return (token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.NAME)


def _short_names():
    for length in (1, 2):
        for letters in itertools.product(string.ascii_letters, repeat=length):
            yield "_" + "".join(letters)
