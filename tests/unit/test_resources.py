"""Data that belongs to code is read with the same call from a file and from a frozen module."""

import os
import sys

from folder import fresh_folder
from harness import raises

from firmware.kernel.resources import lines, open_data

_SETTINGS = "firmware/store/settings.txt"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def test_a_file_beside_the_code_is_read_whatever_the_current_directory_is():
    here = os.getcwd()
    os.chdir("/tmp")
    try:
        with open_data(_SETTINGS) as file:
            assert file.read(1) == b"#"
    finally:
        os.chdir(here)
    names = [line.split()[0] for line in lines(_SETTINGS)]
    assert "HeartbeatInterval" in names and "#" not in names


def test_lines_come_without_comments_empty_lines_and_line_ends():
    path = fresh_folder() + "/data.txt"
    write(path, "# comment\n\none 1\r\ntwo \u20ac # no comment\nlast")
    assert list(lines(path)) == ["one 1", "two \u20ac # no comment", "last"]


def test_frozen_code_has_its_data_in_a_module():
    folder = fresh_folder()
    sys.path.insert(0, folder)
    os.mkdir(folder + "/frozen_room")
    write(folder + "/frozen_room/__init__.py", "")
    write(folder + "/frozen_room/table_txt.py", "DATA = b'# comment\\nname value\\n'\n")
    try:
        assert list(lines("frozen_room/table.txt")) == ["name value"]
        with open_data("frozen_room/table.txt") as file:
            file.seek(10)
            assert file.read(4) == b"name"
        with open_data("frozen_room/table.txt") as file:
            assert file.read(1) == b"#"  # the first reader has changed nothing
    finally:
        sys.path.remove(folder)


def test_data_that_is_nowhere_is_an_oserror():
    with raises(OSError):
        open_data("firmware/store/nothing.txt")
    with raises(OSError):
        list(lines("no_such_room/nothing.txt"))
