"""The terminal: a panel that shows the station as it is, above the lines that tell what happens."""

import shutil
import sys
import threading

_ROWS = 4  # of the panel
_CP_VOLTS = {"A": 12, "B": 9, "C": 6, "D": 3, "E": 0, "F": -12}
_BAR = 24
_ENERGY_STEP_WH = 250  # without a panel, energy is told in steps


class View:
    """Lines on any output; on a terminal with the panel on top of them. Safe to use from several threads."""

    def __init__(self, out=None):
        self._out = out or sys.stdout
        self._lock = threading.Lock()
        self._live = self._out.isatty()
        self._told = None

    def __enter__(self):
        if self._live:
            rows = shutil.get_terminal_size().lines
            # The lines scroll in a region below the panel, so that what a person types there stays whole.
            self._write(f"\x1b[2J\x1b[{_ROWS + 1};{rows}r\x1b[{rows};1H")
        return self

    def __exit__(self, *exc_info):
        if self._live:
            self._write("\x1b7\x1b[r\x1b8\n")

    def line(self, text):
        """Tells something that happened."""
        self._write(text + "\n")

    def panel(self, heading, connector=None):
        """Shows a heading and the state of a connector as the control interface gives it (None: it cannot be had).

        Without a terminal, that is a line whenever it has changed.
        """
        rows = describe(connector) if connector else ("", "")
        if self._live:
            width = shutil.get_terminal_size().columns
            cut = [f"\x1b[1m{heading[:width]}\x1b[0m", *(row[:width] for row in rows), "─" * width]
            drawn = "".join(f"\x1b[{number};1H\x1b[K{row}" for number, row in enumerate(cut, 1))
            self._write(f"\x1b7{drawn}\x1b8")
        elif connector:
            seen = (rows[0], connector["wh"] // _ENERGY_STEP_WH)
            if seen != self._told:
                self._told = seen
                for row in rows:
                    self.line("  | " + row)

    def _write(self, text):
        with self._lock:
            self._out.write(text)
            self._out.flush()


def describe(connector):
    """Returns two lines about a connector: pilot and switches, then currents and energy."""
    cp, tx = connector["cp"], connector["tx"]
    offered, drawn = connector["amps"], max(connector["drawn_a"])
    faults = ", ".join(map(str, connector["faults"]))
    switches = (
        f"pilot {cp} {_CP_VOLTS.get(cp, 0):+d} V, duty {connector['duty']:.1f} %",
        f"contactor {'CLOSED' if connector['relay'] else 'open'}",
        f"plug {'locked' if connector['lock'] else 'unlocked'}",
        f"{connector['status']}{f' ({faults})' if faults else ''}",
    )
    currents = (
        f"offered {offered:4.1f} A, drawn {drawn:4.1f} A {_bar(drawn, offered)}",
        f"meter {connector['wh']} Wh",
        f"transaction {tx['id']}: {connector['wh'] - tx['start_wh']} Wh" if tx else "no transaction",
    )
    return "   ".join(switches), "   ".join(currents)


def _bar(drawn, offered):
    filled = round(_BAR * min(1, drawn / offered)) if offered else 0
    return "█" * filled + "·" * (_BAR - filled)
