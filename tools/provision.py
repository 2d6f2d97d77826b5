"""Prepares many stations: `python -m tools.provision stations.csv [--out stations]`.

The first line of the CSV file names settings (docs/settings.md) and `board`, `connectors`, `cable`, `max_a`, `phases`;
each further line is a station. ChargePointSerialNumber is needed; ChargePointId is the serial number where it is empty.
An asterisk as the value of a secret makes one; PortalPassword and AccessPointPassword are made where they are empty.

For each station a factory file SERIAL.json is written, for `make flash FACTORY=`, after the very check of the board;
all.csv with what was made, for the back-end; and sheets of labels as labels-N.svg, A4 with eight labels of 99.1 mm x
67.7 mm each, with a QR code that joins the station's own Wi-Fi. A mistake in any line: nothing is written. A second run
keeps the secrets that the first one has made.
"""

import argparse
import csv
import io
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

import segno
from segno.helpers import make_wifi_data

from tools.docs.pages import prepare_imports

_HW = ("connectors", "cable", "max_a", "phases")
_SERIAL = "ChargePointSerialNumber"
_LABEL_SECRETS = ("PortalPassword", "AccessPointPassword")
_MAKE = "*"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

# Without what is mistaken for something else on a label: 0 and O, 1, l and I.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_PASSWORD = 12  # characters, 60 bits
_KEY_BYTES = 20

# A4, eight labels, mm.
_COLUMNS, _ROWS = 2, 4
_WIDTH, _HEIGHT = 99.1, 67.7
_LEFT, _TOP, _PITCH = 4.65, 13.1, 101.6
_QR = 36
_LETTER_WIDTH = 0.61  # of a monospaced font, in units of its size


class Mistakes(ValueError):
    """The CSV file is wrong; `lines` says what, one mistake each."""

    def __init__(self, lines: list[str]):
        super().__init__("; ".join(lines))
        self.lines = lines


def read(text: str, kept: Path) -> list[dict]:
    """Returns the factory documents of all stations in a CSV text. Raises Mistakes.

    Secrets that were made before are taken from the factory files in the folder `kept`.
    """
    prepare_imports()
    from firmware.store.registry import SETTINGS

    head, rows = _table(text)
    mistakes = _wrong_columns(head)
    if mistakes:
        raise Mistakes(mistakes)
    names = [column if column in ("board", *_HW) else SETTINGS.spelled(column) for column in head]
    documents = []
    for number, cells in rows:
        if len(cells) != len(head):
            mistakes.append(f"line {number}: {len(cells)} values for {len(head)} columns")
            continue
        document = _document({name: cell.strip() for name, cell in zip(names, cells) if cell.strip()}, kept)
        mistakes += [f"line {number}: {mistake}" for mistake in _mistakes(document)]
        documents.append(document)
    mistakes += [line for name in (_SERIAL, "ChargePointId", "AccessPointSsid") for line in _twice(documents, name)]
    if not documents and not mistakes:
        mistakes.append("no station in it")
    if mistakes:
        raise Mistakes(mistakes)
    return documents


def _table(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Returns the head and (line number, cells) of each station. Spreadsheets divide cells by , or ;"""
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    return ([cell.strip() for cell in rows[0][1]] if rows else []), rows[1:]


def _wrong_columns(head: list[str]) -> list[str]:
    from firmware.factory import nearest
    from firmware.store.registry import SETTINGS

    mistakes = []
    known = ["board", *_HW, *(row.name for row in SETTINGS)]
    for name in head:
        if name not in known and not SETTINGS.spelled(name):
            meant = nearest(name, known)
            hint = f"did you mean {meant}?" if meant else "see docs/settings.md"
            mistakes.append(f"unknown column {name or '(empty)'}: {hint}")
        elif head.count(name) > 1 and f"column {name} is there twice" not in mistakes:
            mistakes.append(f"column {name} is there twice")
    if _SERIAL not in map(SETTINGS.spelled, head):
        mistakes.append(f"no column {_SERIAL}")
    return mistakes


def _document(values: dict[str, str], kept: Path) -> dict:
    """Returns the factory document of a station, with what is made for it."""
    document: dict = {"board": values.pop("board")} if "board" in values else {}
    hw = {name: values.pop(name) for name in _HW if name in values}
    document["hw"] = {name: int(value) if value.isdigit() else value for name, value in hw.items()}
    document["settings"] = values
    serial = values.get(_SERIAL, "")
    values.setdefault("ChargePointId", serial)
    values.setdefault("AccessPointSsid", f"wallbox-{serial[-24:]}")
    for name in _LABEL_SECRETS:
        values.setdefault(name, _MAKE)
    before = _made_before(kept / f"{serial}.json") if _FILE_NAME.fullmatch(serial) else {}
    for name, value in values.items():
        if value == _MAKE:
            values[name] = before.get(name) or _made(name)
    return document


def _made_before(path: Path) -> dict:
    try:
        return json.loads(path.read_text())["settings"]
    except OSError:
        return {}


def _made(name: str) -> str:
    if name == "AuthorizationKey":
        return secrets.token_hex(_KEY_BYTES)
    return "".join(secrets.choice(_LETTERS) for _ in range(_PASSWORD))


def _mistakes(document: dict) -> list[str]:
    """Returns what is wrong with a factory document, one line each: by the very check of the board."""
    from firmware.factory import read as check

    serial = document["settings"].get(_SERIAL, "")
    if not _FILE_NAME.fullmatch(serial):
        return [f"{_SERIAL}: {'missing' if not serial else 'letters, digits, _, - and . only, it is a file name too'}"]
    return list(check(json.dumps(document)).mistakes)


def _twice(documents: list[dict], name: str) -> list[str]:
    seen: set[str] = set()
    again = []
    for document in documents:
        value = document["settings"].get(name, "")
        if value in seen:
            again.append(f"{name} {value} is there twice")
        seen.add(value)
    return again


def write(documents: list[dict], out: Path) -> None:
    """Writes factory files, all.csv and labels to the folder `out`. They hold secrets: for the owner's eyes only."""
    out.mkdir(parents=True, exist_ok=True)
    for document in documents:
        text = json.dumps(document, indent=1, sort_keys=True) + "\n"
        _write_secret(out / f"{document['settings'][_SERIAL]}.json", text)
    names = sorted({name for document in documents for name in document["settings"]})
    table = io.StringIO()
    writer = csv.DictWriter(table, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(document["settings"] for document in documents)
    _write_secret(out / "all.csv", table.getvalue())
    for old in out.glob("labels-*.svg"):
        old.unlink()
    for number, sheet in enumerate(sheets([document["settings"] for document in documents]), 1):
        _write_secret(out / f"labels-{number}.svg", sheet)


def _write_secret(path: Path, text: str) -> None:
    with open(
        path, "w", encoding="utf-8", newline="\n", opener=lambda name, flags: os.open(name, flags, 0o600)
    ) as file:
        file.write(text)


def sheets(stations: list[dict[str, str]]) -> Iterator[str]:
    """Yields SVG drawings of A4 pages with a label for each station."""
    a_page = _COLUMNS * _ROWS
    for first in range(0, len(stations), a_page):
        labels = []
        for place, station in enumerate(stations[first : first + a_page]):
            row, column = divmod(place, _COLUMNS)
            x, y = _LEFT + column * _PITCH, _TOP + row * _HEIGHT
            labels.append(f'<g transform="translate({x:.2f} {y:.2f})">{_label(station)}</g>')
        yield (
            '<svg xmlns="http://www.w3.org/2000/svg" width="210mm" height="297mm" viewBox="0 0 210 297">\n'
            '<rect width="210" height="297" fill="#fff"/>\n' + "\n".join(labels) + "\n</svg>\n"
        )


def _label(station: dict[str, str]) -> str:
    """Returns the drawing of a label; its origin is the upper left corner."""
    code = segno.make(make_wifi_data(station["AccessPointSsid"], station["AccessPointPassword"], "WPA"), error="m")
    modules = code.symbol_size(border=0)[0]
    x, y = _WIDTH - _QR - 8, 15
    parts = [
        _text(6, 10, 5, station.get("ChargePointModel", "Charging station"), "bold"),
        f'<g transform="translate({x:.2f} {y}) scale({_QR / modules:.4f})">{code.svg_inline(border=0)}</g>',
        _text(x, y + _QR + 6, 3, "Joins the Wi-Fi of the station"),
    ]
    values = (
        ("Serial number", station[_SERIAL]),
        ("Wi-Fi of the station", station["AccessPointSsid"]),
        ("Its password", station["AccessPointPassword"]),
        ("Password of the portal", station["PortalPassword"]),
    )
    for number, (what, value) in enumerate(values):
        at = 18 + number * 11
        # A long value is set smaller, so that it ends before the QR code.
        size = min(4.2, (x - 10) / len(value) / _LETTER_WIDTH)
        parts += [_text(6, at, 3, what), _text(6, at + 5, size, value, "normal", "monospace")]
    return "".join(parts)


def _text(x: float, y: float, size: float, text: str, weight: str = "normal", family: str = "sans-serif") -> str:
    font = f'font-family="{family}" font-size="{size:.2f}" font-weight="{weight}"'
    return f'<text x="{x:.2f}" y="{y:.2f}" {font}>{escape(text)}</text>'


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.provision", description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--out", type=Path, help="folder for what is written: the name of the CSV file without .csv")
    arguments = parser.parse_args()
    out = arguments.out or arguments.csv.with_suffix("")
    try:
        documents = read(arguments.csv.read_text(encoding="utf-8"), out)
        write(documents, out)
    except Mistakes as wrong:
        for line in wrong.lines:
            print(f"{arguments.csv}: {line}", file=sys.stderr)
        print("nothing was written", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"{arguments.csv}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 1
    print(f"{out}: {len(documents)} factory files, all.csv, {len(list(out.glob('labels-*.svg')))} sheets of labels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
