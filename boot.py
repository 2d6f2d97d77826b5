# Runs first at every power-on and soft reset: makes the outputs safe and chooses the slot whose code runs, see
# docs/image.md. No update ever replaces it, and it must not raise anything. main.py shares its names.
import gc
import json
import os
import sys

from machine import Pin

# Collect after every 32 KB instead of when the heap is full, until firmware/kernel/memory.py decides.
gc.threshold(32 * 1024)

MOST_TRIES = 3  # starts in which a new version can be confirmed


def load(path):
    """Returns the dict in a JSON file; {} when there is none, or nothing that makes sense."""
    try:
        with open(path) as file:
            value = json.load(file)
    except (OSError, ValueError):
        value = None
    return value if isinstance(value, dict) else {}


def make_safe():
    """Pilot at +12 V, contactors open: the pins that the station has kept in pins.json."""
    for pin, level in load("/pins.json").items():
        Pin(int(pin), Pin.OUT, value=level)


def is_complete(slot):
    try:
        os.stat("/%s/manifest.json" % slot)
    except OSError:
        return False
    return True


def choose(state):
    """Returns the slot that runs, "a" or "b", or None: no slot holds an application, the interpreter may.

    Raises TypeError for nonsense.
    """
    for key in ("tries", "crashes", "ms", "boots"):
        state.get(key, 0) + 0
    if state.get("tries", 0) < MOST_TRIES and is_complete(state.get("trial")):
        return state["trial"]
    for slot in (state.get("active"), "a", "b"):
        if is_complete(slot):
            return slot
    return None


try:
    make_safe()
except Exception as exc:
    print("boot: pins.json:", repr(exc))
state = load("/slots.json")
try:
    slot = choose(state)
except Exception as exc:  # slots.json is not as the firmware writes it
    print("boot: slots.json:", repr(exc))
    state = {}
    slot = choose(state)
if slot:
    # Nothing else of the file system: a module that the slot lacks must not come from another version.
    sys.path[:] = ["/" + slot, "/%s/lib" % slot, ".frozen"]
