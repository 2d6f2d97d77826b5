# interpreters: cpython
"""Many stations from one table: factory files that the board takes, secrets that stay, labels that can be scanned."""

import csv
import json
import xml.etree.ElementTree as ElementTree

import pytest
import segno

from firmware.factory import read as read_factory
from tools.provision import Mistakes, main, read, write

_HEAD = "board,ChargePointSerialNumber,AuthorizationKey,MaxCurrent,cable,max_a\n"
_ROWS = "esp32s3_reference,WB-1,*,16000,socket,16\nesp32s3_reference,WB-2,,20000,fixed,32\n"


def mistakes(text, folder):
    with pytest.raises(Mistakes) as caught:
        read(text, folder)
    return caught.value.lines


def test_each_station_gets_a_factory_file_that_the_board_takes(tmp_path):
    write(read(_HEAD + _ROWS, tmp_path), tmp_path)
    first, second = (read_factory((tmp_path / f"WB-{number}.json").read_text()) for number in (1, 2))
    assert first.mistakes == [] and second.mistakes == []
    assert first.hw == {"cable": "socket", "max_a": 16} and first.settings["MaxCurrent"] == "16000"
    assert first.settings["ChargePointId"] == first.settings["ChargePointSerialNumber"] == "WB-1"
    assert len(first.settings["AuthorizationKey"]) == 40 and "AuthorizationKey" not in second.settings
    for name in ("PortalPassword", "AccessPointPassword"):
        assert len(first.settings[name]) == 12 and first.settings[name] != second.settings[name]
    assert (tmp_path / "WB-1.json").stat().st_mode & 0o077 == 0


def test_the_back_end_gets_a_table_with_what_was_made(tmp_path):
    write(read(_HEAD + _ROWS, tmp_path), tmp_path)
    rows = list(csv.DictReader((tmp_path / "all.csv").open()))
    settings = json.loads((tmp_path / "WB-1.json").read_text())["settings"]
    assert [row["ChargePointId"] for row in rows] == ["WB-1", "WB-2"]
    assert rows[0] == settings


def test_a_second_run_keeps_the_secrets_and_makes_those_that_are_missing(tmp_path):
    write(read(_HEAD + _ROWS, tmp_path), tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.glob("WB-*.json")}
    write(read(_HEAD + _ROWS + "esp32s3_reference,WB-3,*,16000,socket,16\n", tmp_path), tmp_path)
    assert all((tmp_path / name).read_text() == text for name, text in before.items())
    assert (tmp_path / "WB-3.json").exists()


def test_what_spreadsheets_write_is_read(tmp_path):
    text = "\ufeff" + (_HEAD + _ROWS).replace(",", ";").replace("\n", "\r\n") + ";;;;;\r\n"
    assert [document["hw"]["max_a"] for document in read(text, tmp_path)] == [16, 32]
    quoted = 'chargepointserialnumber,MAXCURRENT\n"WB-1","16000"\n'
    assert read(quoted, tmp_path)[0]["settings"]["MaxCurrent"] == "16000"


def test_every_mistake_is_named_with_its_line(tmp_path):
    rows = "esp32s3_refrence,WB-1,short,16,socket,16\nesp32s3_reference,WB-1,*,16000,socket\n,,,,fixed,16\n"
    lines = mistakes(_HEAD + rows + "esp32s3_reference,WB-1,*,16000,socket,16\n,../x,,,,\n", tmp_path)
    for text in (
        'line 2: unknown board "esp32s3_refrence": did you mean esp32s3_reference?',
        "line 2: AuthorizationKey: neither 32 to 40 hex digits nor 16 to 20 characters",
        "line 3: 5 values for 6 columns",
        "line 4: ChargePointSerialNumber: missing",
        "line 6: ChargePointSerialNumber: letters, digits, _, - and . only, it is a file name too",
        "ChargePointSerialNumber WB-1 is there twice",
    ):
        assert text in lines, lines
    assert any("did you mean 16000?" in line for line in lines)
    assert not any("short" in line for line in lines)


def test_columns_are_checked_once(tmp_path):
    lines = mistakes("board,WifiPasword,WifiSsid,WifiSsid\na,b,c,d\na,b,c,d\n", tmp_path)
    assert lines == [
        "unknown column WifiPasword: did you mean WifiPassword?",
        "column WifiSsid is there twice",
        "no column ChargePointSerialNumber",
    ]
    assert mistakes("", tmp_path) and mistakes(_HEAD, tmp_path) == ["no station in it"]


def test_a_mistake_anywhere_writes_nothing(tmp_path, capsys, monkeypatch):
    table = tmp_path / "stations.csv"
    table.write_text(_HEAD + _ROWS + "nowhere,WB-3,,,,\n")
    monkeypatch.setattr("sys.argv", ["provision", str(table)])
    assert main() == 1
    assert not (tmp_path / "stations").exists()
    assert "stations.csv: line 4: unknown board" in capsys.readouterr().err
    table.write_text(_HEAD + _ROWS)
    assert main() == 0
    assert "2 factory files" in capsys.readouterr().out


def test_the_labels_show_what_a_person_needs_and_a_code_that_joins_the_wifi(tmp_path):
    rows = "".join(f"esp32s3_reference,WB-{number},,16000,socket,16\n" for number in range(1, 10))
    head, body = _HEAD.rstrip() + ",AccessPointSsid,AccessPointPassword\n", rows.replace("\n", ',a;"b",x:y\\z&<12\n')
    body = body.replace('a;"b"', '"net;{n}"')
    body = "\n".join(line.format(n=number) for number, line in enumerate(body.splitlines(), 1))
    write(read(head + body, tmp_path), tmp_path)
    sheets = sorted(tmp_path.glob("labels-*.svg"))
    assert len(sheets) == 2  # eight on a page
    root = ElementTree.fromstring(sheets[0].read_text())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    settings = json.loads((tmp_path / "WB-3.json").read_text())["settings"]
    for name in ("ChargePointSerialNumber", "AccessPointSsid", "AccessPointPassword", "PortalPassword"):
        assert settings[name] in texts
    assert settings["AccessPointSsid"] == "net;3"
    code = segno.make(r"WIFI:T:WPA;S:net\;3;P:x\:y\\z&<12;;", error="m").svg_inline(border=0)
    assert code in sheets[0].read_text()
