# interpreters: cpython
"""tools/flashlog: what a station keeps can be read on the host, and damage is seen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from folder import fresh_folder
from test_journal import Station

from firmware.store.history import History
from firmware.store.tags import TagList
from firmware.store.tokens import TokenInfo, group_of
from tools.sim.charger import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent

_IMAGE = """
from flash import RamFlash, format_flash, mounted
from flashlog import FlashLog
flash = format_flash(32)
with mounted(flash) as path:
    FlashLog(path + "/journal").append(4, bytes((0x93, 0, 0xA4)) + b"Test" + bytes((0xA0,)))
with open("%s", "wb") as f:
    f.write(flash.data)
"""


def tool(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "tools.flashlog", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def store():
    station = Station()
    tx = station.session()
    History(station.folder + "/history").repair(station.start())  # as after a power cut between end and row
    station.settings.set_text("AuthorizationKey", "0123456789abcdef0123456789ABCDEF")
    tags = TagList(station.folder + "/tags")
    tags.replace(7, [("04A1B2C3", TokenInfo("accepted", 1_900_000_000, group_of("FLEET")))])
    tags.close()
    return station.folder, tx


def test_a_store_is_printed_without_its_secrets():
    folder, tx = store()
    code, output = tool(folder)
    assert code == 0 and "all intact" in output
    assert f"begin   {tx} 1 04A1B2C3 1000" in output and "periodic 16000" in output
    assert f"{group_of('04A1B2C3')}  accepted until 2030-03-17T17:46:40Z group {group_of('FLEET')}" in output
    assert f"{tx},1,04A1B2C3," in output
    assert "AuthorizationKey" in output and "0123456789abcdef" not in output
    assert "0123456789abcdef" in tool(folder, "--secrets")[1]


def test_damage_is_found_and_nothing_is_repaired():
    folder, _ = store()
    (segment,) = Path(folder + "/journal").glob("*.log")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 4
    segment.write_bytes(content)
    code, output = tool(folder)
    assert code == 1 and "damaged: journal" in output and segment.read_bytes() == content


def test_a_flash_image_is_read():
    image = fresh_folder() + "/flash.img"
    search = ":".join((".frozen", str(ROOT), str(ROOT / "lib"), str(ROOT / "tests" / "unit")))
    subprocess.run([*interpreter(), "-c", _IMAGE % image], env={"MICROPYPATH": search}, check=True, timeout=60)
    code, output = tool(image)
    assert code == 0 and "event   Test" in output
    Path(image).write_bytes(bytes(8192))
    code, output = tool(image)
    assert code == 1 and "not a LittleFS2 image" in output


def test_a_folder_that_is_no_store_is_left_alone():
    """S3: it was copied, into itself if the temporary folder was in it."""
    folder = Path(fresh_folder())
    (folder / "journal").mkdir()
    (folder / "journal" / "2026.log").write_text("a diary")
    (folder / "tags").write_text("a ctags file")
    (folder / "inner").mkdir()
    for argument in (folder, folder / "inner", folder / "nothing", "/", "/proc"):
        code, output = tool(str(argument))
        assert code == 2 and ("not a station's store" in output or "no such file" in output), output
        assert "Traceback" not in output


def test_only_the_store_is_copied():
    """S3: a store among other things, such as the temporary folder itself."""
    folder = Path(store()[0])
    scratch = folder / "scratch"
    scratch.mkdir()
    code, output = tool(str(folder), TMPDIR=str(scratch))
    assert code == 0 and "all intact" in output


def test_the_folder_that_mpremote_copies_data_to_is_understood():
    """`mpremote cp -r :/data .`, then `python -m tools.flashlog .`"""
    around = Path(fresh_folder())
    shutil.move(store()[0], around / "data")
    code, output = tool(str(around))
    assert code == 0 and "begin" in output and "all intact" in output
