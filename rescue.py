# What main.py does about a start that has failed. Loaded only then, and with as little heap as there may be left.
# No update ever replaces it.
import gc
import io
import json
import sys
import time

import machine

_CRASHES = "/crashes.json"
_MOST_RECORDS = 4
_MOST_TEXT = 700  # characters of a traceback: its beginning and its end
_MOST_ERROR = 160  # characters of its last line
_MOST_WHY = 40  # characters, so that slots.json has at most 128 bytes
_MOST_MS = 600_000  # crashes that are further apart are not a row
_HANG_MS = 30_000  # at least, before the watchdog bites
_PAUSE_S = 5  # before a new start: time for Ctrl-C
_PSRAM_BYTES = 1_000_000

_CAUSES = {
    machine.PWRON_RESET: "power-on",
    machine.HARD_RESET: "reset",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "deep sleep",
    machine.SOFT_RESET: "soft reset",
}


def crashed(state, slot, keep, failure, ran_ms):
    """The start has raised an exception, after `ran_ms`."""
    state.pop("begun", 0)
    gc.collect()
    free = gc.mem_free()
    for name in list(sys.modules):
        if name.startswith("firmware"):
            del sys.modules[name]
    gc.collect()
    text = io.StringIO()
    sys.print_exception(failure, text)
    text = text.getvalue()
    if len(text) > _MOST_TEXT:
        text = text[: _MOST_TEXT // 2] + " ... " + text[-_MOST_TEXT // 2 :]
    meaning = explain(failure)
    print("main: the start has failed:", meaning)
    print(text)
    _blame(state, slot, keep, "%s: %s" % (type(failure).__name__, failure), text, meaning, ran_ms, free)
    print("main: starting again in %d s, Ctrl-C prevents it" % _PAUSE_S)
    time.sleep(_PAUSE_S)


def died(state, slot, keep):
    """The last start has ended in the watchdog or in a panic of the interpreter. Returns True: choose a slot again."""
    why = "watchdog" if machine.reset_cause() == machine.WDT_RESET else "panic"
    meaning = "the start hung" if why == "watchdog" else "MicroPython itself has crashed"
    print("main: %s: %s" % (why, meaning))
    return _blame(state, slot, keep, why, "", meaning, _HANG_MS, None)


def give_up(state, keep):
    """The slot on trial has had its tries, or is not complete."""
    state.pop("begun", 0)
    _return(state, keep, "not confirmed" if state.get("tries", 0) else "incomplete")


def safe_mode(state, keep):
    """Tells the console why nothing runs. The next reset is one more try."""
    state["crashes"] -= 1
    state["tries"] = 0
    keep(state)
    print("SAFE MODE: contactors open, pilot at +12 V, no charging.")
    for record in crashes():
        print("version %s, slot %s, after %s" % (record["version"], record["slot"], record["cause"]), record["why"])
        print(record["meaning"])
        print(record["trace"])
    print("A good image (make flash) ends it; a reset, or an hour, tries once more.")


def crashes():
    """Returns the kept records, oldest first."""
    records = []
    try:
        with open(_CRASHES) as file:
            for line in file:
                records.append(json.loads(line))
    except (OSError, ValueError):
        pass  # no records yet, or not readable
    return records


def _blame(state, slot, keep, why, trace, meaning, ran_ms, free):
    """Keeps a record and counts. Returns True when the slot on trial has lost its place."""
    record = {
        "slot": slot,
        "version": version(slot),
        "cause": _CAUSES.get(machine.reset_cause(), "unknown"),
        "why": why[:_MOST_ERROR],
        "trace": trace,
        "meaning": meaning,
        "ran_ms": ran_ms,
        "heap_free": free,
        "starts": state.get("boots", 0),
        "failures": state.get("crashes", 0) + 1,
    }
    records = crashes()[1 - _MOST_RECORDS :] + [record]
    try:
        with open(_CRASHES, "w") as file:
            for record in records:
                file.write(json.dumps(record) + "\n")
    except OSError as exc:
        print("main: the crash is not kept:", exc)
    if slot and slot == state.get("trial"):
        _return(state, keep, why)
        return True
    state["tries"] = 0
    state["crashes"] = state.get("crashes", 0) + 1
    state["ms"] = state.get("ms", 0) + ran_ms
    if state["ms"] > _MOST_MS:
        state["crashes"], state["ms"] = 1, ran_ms
    keep(state)
    return False


def _return(state, keep, why):
    """The slot on trial is given up; version and reason are kept."""
    trial = state.pop("trial")
    state["tries"] = 0
    state["why"] = ("%s: %s" % (version(trial), why))[:_MOST_WHY]
    keep(state)
    print("main: slot %s is given up: %s" % (trial, why))


def version(slot):
    """Returns the version in the first line of a slot's manifest, "?" where there is none."""
    try:
        with open("/%s/manifest.json" % slot) as file:
            return json.loads(file.readline().rstrip(",\n") + "}")["version"]
    except (OSError, ValueError, KeyError):
        return "?"


def explain(failure):
    """Returns the meaning of a failure in words, with a remedy; "" when its text is enough."""
    text = str(failure)
    if isinstance(failure, MemoryError):
        return "the heap is full" if has_psram() else _no_psram()
    if isinstance(failure, ImportError):
        name = text.rpartition(" ")[2].strip("'")
        if name.split(".")[0] == "firmware" or "." in name:
            return "the application is not complete: flash it again"
        return "%s is missing: the image is not complete, or this MicroPython (%s) lacks it" % (name, _interpreter())
    if isinstance(failure, ValueError) and ".mpy" in text:
        return "the image was compiled for another MicroPython than this (%s)" % _interpreter()
    if isinstance(failure, SyntaxError):
        return "a file of the application is damaged: flash it again"
    if isinstance(failure, OSError):
        return "flash or hardware refuses"
    return ""


def has_psram():
    try:
        import esp32

        return any(region[0] >= _PSRAM_BYTES for region in esp32.idf_heap_info(esp32.HEAP_DATA))
    except (ImportError, AttributeError):
        return True  # not an ESP32


def _no_psram():
    s3 = "S3" in getattr(sys.implementation, "_machine", "")
    build = "ESP32_GENERIC_S3-SPIRAM_OCT" if s3 else "ESP32_GENERIC-SPIRAM"
    return "this MicroPython has no PSRAM: use %s on a board that has it, or freeze the application" % build


def _interpreter():
    return ".".join([str(part) for part in sys.implementation.version[:3]])
