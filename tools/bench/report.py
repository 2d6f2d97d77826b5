"""Results of a measurement: rows with budgets, tables of details, text forms of numbers."""

from dataclasses import dataclass, field


class Skipped(Exception):
    """A measurement is not possible on this computer; the text says why."""


@dataclass
class Row:
    """One figure. `value` and `budget` are numbers with `unit(number)` -> text; the budget is a maximum.

    `value` None: not measured, `note` says why. `least`: the budget is a minimum.
    """

    what: str
    value: float | None
    budget: float | None = None
    unit: object = str
    anchor: str = ""
    note: str = ""
    command: str = ""
    least: bool = False

    @property
    def verdict(self):
        if self.value is None:
            return "not measured"
        if self.budget is None:
            return ""
        good = self.value >= self.budget if self.least else self.value <= self.budget
        return "ok" if good else "MISSED"

    @property
    def ours(self):
        return "-" if self.value is None else self.unit(self.value)

    @property
    def limit(self):
        if self.budget is None:
            return ""
        return ("≥ " if self.least else "≤ ") + self.unit(self.budget)


@dataclass
class Table:
    title: str
    head: tuple
    rows: list


@dataclass
class Section:
    """The result of one measurement."""

    rows: list
    tables: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def kb(number):
    return f"{number / 1024:.1f} KB"


def ms(number):
    return f"{number:.3g} ms" if number < 100 else f"{number:.0f} ms"


def seconds(number):
    return f"{number:.2f} s"


def times(number):
    return f"{number:.1f}x"


def count(number):
    return f"{number:,.0f}".replace(",", " ")


def per_second(number):
    return count(number) + "/s"
