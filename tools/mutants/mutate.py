"""Generates the mutants of a source text: each has one small mistake."""

import ast
import re
from dataclasses import dataclass

_COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
}
_SAY = {"debug", "info", "warning", "error", "exception"}  # log messages are not tested


@dataclass(frozen=True)
class Mutant:
    """`path` is relative to the root; `old` becomes `new` in `line` (1-based), in the function `where`."""

    path: str
    where: str
    line: int
    kind: str
    old: str
    new: str
    start: int
    end: int

    def apply(self, source):
        return source[: self.start] + self.new + source[self.end :]

    @property
    def in_class_body(self):
        """It is executed when its module is imported, and by no test."""
        return self.where.rpartition(".")[2].lstrip("_")[:1].isupper()

    @property
    def key(self):
        """Key of a mutant that stays the same when other parts of the file change."""
        old = " ".join(self.old.split())
        return f"{self.path}|{self.where}|{old} -> {self.new}"

    def __str__(self):
        return f"{self.path}:{self.line} {self.where}: {self.old} -> {self.new}"


def mutants(path, source):
    """Returns the mutants of a module, in the order of its lines."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return sorted(finder.found, key=lambda mutant: (mutant.start, mutant.new))


class _Finder(ast.NodeVisitor):
    def __init__(self, path, source):
        self.found = []
        self._path = path
        self._source = source
        self._names = []
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line.encode()))
        self._bytes = source.encode()

    # -- places

    def _span(self, node):
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line, column):
        # The syntax tree counts bytes, a str characters.
        return len(self._bytes[: self._starts[line - 1] + column].decode())

    def _add(self, kind, start, end, new, line):
        self.found.append(
            Mutant(self._path, ".".join(self._names) or "module", line, kind, self._source[start:end], new, start, end)
        )

    def _between(self, left, right, old, new, kind):
        start, end = self._span(left)[1], self._span(right)[0]
        match = re.search(r"\s+".join(map(re.escape, old.split())), self._source[start:end])
        if match:
            line = self._source.count("\n", 0, start + match.start()) + 1
            self._add(kind, start + match.start(), start + match.end(), new, line)

    # -- mutations

    def _scope(self, node):
        """Visits a function; default values of arguments are not changed, since most callers pass them."""
        self._names.append(node.name)
        for child in node.body:
            self.visit(child)
        self._names.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _scope

    def visit_Compare(self, node):
        left = node.left
        for operator, right in zip(node.ops, node.comparators):
            self._between(left, right, *_COMPARISONS[type(operator)], "comparison")
            left = right
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:]):
            self._between(left, right, old, new, "logic")
        self.generic_visit(node)

    def visit_BinOp(self, node):
        text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, (str, bytes))
        if type(node.op) in _ARITHMETIC and not text:
            self._between(node.left, node.right, *_ARITHMETIC[type(node.op)], "arithmetic")
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Not):
            start = self._span(node)[0]
            word = re.match(r"not\s*", self._source[start:]).group()
            self._add("logic", start, start + len(word), "", node.lineno)
        self.generic_visit(node)

    def visit_Constant(self, node):
        start, end = self._span(node)
        value = node.value
        if value is True or value is False:
            self._add("constant", start, end, str(not value), node.lineno)
        elif isinstance(value, int):
            self._add("constant", start, end, str(value * 2 if value >= 10 else value + 1), node.lineno)

    def _condition(self, node):
        """Makes a branch that is always or never taken."""
        start, end = self._span(node.test)
        for new in ("True", "False"):
            self._add("condition", start, end, new, node.test.lineno)
        self.generic_visit(node)

    visit_If = visit_IfExp = _condition

    def visit_Expr(self, node):
        call = node.value
        if isinstance(call, ast.Await):
            call = call.value
        if not isinstance(call, ast.Call):
            return  # a docstring
        if isinstance(call.func, ast.Attribute) and call.func.attr in _SAY:
            return
        self._remove(node)
        self.generic_visit(node)

    def visit_Assign(self, node):
        if isinstance(node.targets[0], (ast.Attribute, ast.Subscript)):
            self._remove(node)
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        self._remove(node)
        self.generic_visit(node)

    def visit_Raise(self, node):
        self._remove(node)

    def _remove(self, node):
        start, end = self._span(node)
        self._add("removal", start, end, "pass", node.lineno)
