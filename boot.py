# Runs first at every power-on. It chooses the slot whose code runs, see docs/image.md. No update ever replaces it.
import gc
import json
import os
import sys

# Collect after every 32 KB instead of when the heap is full, until firmware/kernel/memory.py decides.
gc.threshold(32 * 1024)


def chosen():
    """Returns the slot that runs, "a" or "b", or None: no slot holds an application, the interpreter may."""
    complete = [slot for slot in ("a", "b") if has("/%s/manifest.json" % slot)]
    try:
        with open("/slots.json") as file:
            active = json.load(file)["active"]
    except (OSError, ValueError, KeyError, TypeError):
        active = None
    if active in complete:
        return active
    return complete[0] if complete else None


def has(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


slot = chosen()
if slot:
    # Nothing else of the file system: a module that the slot lacks must not come from another version.
    sys.path[:] = ["/" + slot, "/%s/lib" % slot, ".frozen"]
