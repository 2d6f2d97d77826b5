"""Terminal view: a panel with the state of the station, above lines for events."""

import os
import sys

from tools.terminal import Terminal

_ROWS = 5  # rows of the panel
_LEAST = (40, 12)  # minimum columns and rows of the window
_CP_VOLTS = {"A": 12, "B": 9, "C": 6, "D": 3, "E": 0, "F": -12}
_BAR = 20
_ENERGY_STEP_WH = 250  # without a panel, energy is shown in steps


class View:
    """Lines on any output; on a terminal with the panel above them. Thread-safe."""

    def __init__(self, out=None):
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._terminal = Terminal(self._out)
        self._size = None  # of the window, as the panel was last fitted to it
        self._drawn = None
        self._told = None

    def __enter__(self):
        if self._live:
            self._terminal.draw("\x1b[2J")
            self._fit()
        return self

    def __exit__(self, *exc_info):
        if self._live:
            self._terminal.draw("\x1b7\x1b[r\x1b8\n")

    def line(self, text):
        """Shows an event."""
        self._terminal.say(text)

    def typed(self):
        """Yields typed lines."""
        return self._terminal.lines()

    def panel(self, heading, connector=None):
        """Shows a heading and the state of a connector from the control interface (None: unavailable).

        Without a terminal a line is written whenever it has changed.
        """
        rows = describe(connector) if connector else ("", "", "")
        if self._live:
            self._fit()
            width, height = self._size
            if width >= _LEAST[0] and height >= _LEAST[1]:
                cut = [f"\x1b[1m{heading[:width]}\x1b[0m", *(row[:width] for row in rows), "─" * width]
                drawn = "".join(f"\x1b[{number};1H\x1b[K{row}" for number, row in enumerate(cut, 1))
                if drawn != self._drawn:
                    self._drawn = drawn
                    self._terminal.draw(f"\x1b7{drawn}\x1b8")
        elif connector:
            seen = (rows[0], connector["wh"] // _ENERGY_STEP_WH)
            if seen != self._told:
                self._told = seen
                for row in rows:
                    self.line("  | " + row)

    def _fit(self):
        """Adapts the scroll region below the panel to the size of the window."""
        size = _window(self._out)
        if size == self._size:
            return
        self._size = size
        self._drawn = None
        width, height = size
        region = f"{_ROWS + 1};{height}" if width >= _LEAST[0] and height >= _LEAST[1] else ""
        # A new line at the bottom: what stands there is not written over.
        self._terminal.draw(f"\x1b[{region}r\x1b[{height};1H\n", typed=True)


def _window(out):
    """Returns (columns, rows) of the window; COLUMNS and LINES of the environment do not follow it."""
    try:
        columns, rows = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        return 80, 24
    return columns or 80, rows or 24


def describe(connector):
    """Returns three lines about a connector: status and switches, pilot and currents, energy. They fit 80 columns."""
    cp, tx = connector["cp"], connector["tx"]
    offered, drawn = connector["amps"], max(connector["drawn_a"])
    faults = ", ".join(map(str, connector["faults"]))
    switches = (
        f"contactor {'CLOSED' if connector['relay'] else 'open'}",
        f"plug {'locked' if connector['lock'] else 'unlocked'}",
        f"{connector['status']}{f' ({faults})' if faults else ''}",
    )
    currents = (
        f"pilot {cp} {_CP_VOLTS.get(cp, 0):+d} V, duty {connector['duty']:.1f} %",
        f"offered {offered:.1f} A, drawn {drawn:.1f} A {_bar(drawn, offered)}",
    )
    energy = (
        f"meter {connector['wh']} Wh",
        f"transaction {tx['id']}: {connector['wh'] - tx['start_wh']} Wh" if tx else "no transaction",
    )
    return "   ".join(switches), "   ".join(currents), "   ".join(energy)


def _bar(drawn, offered):
    filled = round(_BAR * min(1, drawn / offered)) if offered else 0
    return "█" * filled + "·" * (_BAR - filled)
