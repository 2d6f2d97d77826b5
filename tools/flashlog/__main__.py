"""Prints and verifies the data that a station keeps on its flash.

    python -m tools.flashlog DIRECTORY     a store, copied from a station (mpremote cp -r :/data .) or made by a test,
                                           or the folder with the copied `data`
    python -m tools.flashlog IMAGE         a whole flash image, such as the simulator's flash.img

Nothing is changed. Exit code 1: something is damaged.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "tests" / "cpython")]

from flashlog import FlashLog  # noqa: E402
from sortedfile import SortedFile  # noqa: E402

from firmware.kernel.clock import iso8601  # noqa: E402
from firmware.store import records  # noqa: E402
from firmware.store.history import ROW_BYTES, History  # noqa: E402
from firmware.store.history_csv import csv  # noqa: E402
from firmware.store.packing import unpack  # noqa: E402
from firmware.store.registry import SETTINGS  # noqa: E402
from firmware.store.slots import Slots  # noqa: E402
from firmware.store.tokens import KEY_BYTES, RECORD_BYTES, decode, is_removal  # noqa: E402
from tools.sim.charger import interpreter  # noqa: E402

# The end of a file of sorted records, see sortedfile.pages.
SORTED_MAGIC = b"SRT2"
SORTED_FOOTER = 63

_KINDS = {
    records.BEGIN: "begin",
    records.SAMPLE: "sample",
    records.END: "end",
    records.EVENT: "event",
    records.CLOCK: "clock",
    records.BOOT: "boot",
}


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.flashlog", description=__doc__.partition("\n")[0])
    parser.add_argument("store", type=Path, help="directory of a store, or a flash image")
    parser.add_argument("--secrets", action="store_true", help="show passwords among the settings")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "store"
        if arguments.store.is_dir():
            store = store_in(arguments.store)
            if store is None:
                parser.error(f"{arguments.store} is not a station's store: no journal, history, tags or settings")
            copy_store(store, copy)  # opening a store repairs it: not the original
        elif arguments.store.is_file():
            extract(arguments.store, copy)
        else:
            parser.error(f"{arguments.store}: no such file or directory")
        damaged = [name for name, show in find(copy, arguments.secrets) if not show()]
    print("damaged: " + ", ".join(damaged) if damaged else "all intact")
    return 1 if damaged else 0


def store_in(folder):
    """Returns the folder of the store: `folder` or `data` in it (as copied by mpremote), or None."""
    return next((place for place in (folder, folder / "data") if is_store(place)), None)


def is_store(folder):
    """Returns True for a folder with files of a station's store."""
    segments = [path.name for path in (folder / "journal").glob("*.log")]
    return (
        any(re.fullmatch(r"[0-9a-f]{8}\.log", name) for name in segments)
        or any((folder / "history").glob("*.row*"))
        or any((folder / f"settings.{slot}").is_file() for slot in "ab")
        or is_list(folder / "tags")
    )


def is_list(path):
    """Returns True for a file with the footer of a SortedFile."""
    return path.is_file() and SORTED_MAGIC in path.read_bytes()[-SORTED_FOOTER:]


def copy_store(store, target):
    """Copies only the files of a store to the new folder `target`."""
    target.mkdir()
    for path in store.iterdir():
        if path.is_dir() and path.name in ("journal", "history"):
            shutil.copytree(path, target / path.name)
        elif path.is_file() and (path.suffix in (".a", ".b") or path.name.partition(".")[0] == "tags"):
            shutil.copyfile(path, target / path.name)


def extract(image, target):
    """Copies the files of a LittleFS2 image into the new directory `target`."""
    target.mkdir()
    done = subprocess.run([*interpreter(), Path(__file__).with_name("extract.py"), image, target], capture_output=True)
    if done.returncode:
        sys.exit(f"{image}: not a LittleFS2 image: {done.stdout.decode(errors='replace').strip().splitlines()[-1:]}")


def find(folder, secrets):
    """Yields (name, function that prints it and returns True if it is intact) for each part of a store."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name == "journal" and path.is_dir():
            yield name, lambda path=path, name=name: show_journal(path, name)
        elif path.name == "history" and path.is_dir():
            yield name, lambda path=path, name=name: show_history(path, name)
        elif path.name == "tags" and path.is_file():
            yield name, lambda path=path, name=name: show_tags(path, name)
        elif path.suffix == ".a" or (path.suffix == ".b" and not path.with_suffix(".a").exists()):
            stem, name = path.with_suffix(""), name[:-2]
            yield name, lambda stem=stem, name=name: show_slots(stem, name, secrets)


def show_journal(path, name):
    log = FlashLog(str(path))
    print(f"== {name}: {len(log.segments())} segments, {log.size()} bytes, next record {log.next_seq}")
    intact = True
    for seq, kind, payload in log.read():
        try:
            boot, seconds = records.time_of(payload)
            fields = unpack(payload)[1:]
        except ValueError:
            print(f"{seq:8d}  {kind}  ? {payload.hex()}")
            intact = False
            continue
        when = iso8601(seconds) if boot is None else f"boot {boot} + {seconds} s"
        if kind == records.SAMPLE:
            fields[2] = records.CONTEXTS[fields[2]]
        print(f"{seq:8d}  {when}  {_KINDS.get(kind, kind):6}  {' '.join(map(str, fields))}")
    for base in sorted(log.damaged):
        print(f"damaged: {base:08x}.log")
    return intact and not log.damaged


def show_history(path, name):
    history = History(str(path))
    print(f"== {name}")
    for line in csv(history):
        print(line.rstrip())
    return ROW_BYTES * len(list(history.rows())) == sum(file.stat().st_size for file in path.glob("*.row*"))


def show_tags(path, name):
    file = SortedFile(str(path), KEY_BYTES, RECORD_BYTES, is_removal)
    version = int.from_bytes(file.meta, "little", signed=True)
    print(f"== {name}: {file.count} tokens, version {version}")
    found = 0
    for record in file.records():
        key, entry = decode(record)
        expiry = "" if entry.expiry is None else " until " + iso8601(entry.expiry)
        print(f"{key}  {entry.status}{expiry}{' group ' + entry.parent if entry.parent else ''}")
        found += 1
    file.close()
    return not file.damaged and found == file.count


def show_slots(stem, name, secrets):
    slots = Slots(str(stem))
    text = slots.load()
    if name.endswith("settings") and text and not secrets:
        text = without_secrets(text)
    print(f"== {name}\n{text}")
    return not slots.damaged


def without_secrets(text):
    """Returns the settings document with every secret's value replaced."""
    document = json.loads(text)
    for row in SETTINGS:
        if row.kind == "secret" and row.name in document["values"]:
            document["values"][row.name] = "(not shown)"
    return json.dumps(document)


if __name__ == "__main__":
    sys.exit(main())
