# Runs after boot.py, whose names it shares: starts the charging station and looks after a start that fails, see
# docs/image.md. No update ever replaces it.
# mypy: disable-error-code="name-defined"
import json
import sys
import time

import machine

machine.WDT(timeout=30_000)  # first of all: an import that hangs ends, too
began = time.ticks_ms()

MOST_CRASHES = 3  # in a row, then comes safe mode
CONSOLE_MS = 3_600_000  # time at the console before the watchdog restarts the station


def keep(state):
    """Writes slots.json: with up to 128 bytes LittleFS replaces it at once."""
    try:
        with open("/slots.json", "w") as file:
            file.write(json.dumps(state, separators=(",", ":")))
    except OSError as exc:
        print("main: slots.json is not kept:", exc)


def load_rescue():
    sys.path.append("")
    try:
        import rescue
    finally:
        sys.path.pop()
    return rescue


def run(state, slot):
    """Runs the station until it has to restart; returns how, "soft" or "hard". None: to the console, in safe mode."""
    if "trial" in state and slot != state["trial"]:
        load_rescue().give_up(state, keep)  # boot.py has chosen the other slot
    # A restart on purpose is marked, see ended_well(); a power loss may come at any time.
    if state.pop("begun", 0) and machine.reset_cause() in (machine.WDT_RESET, machine.HARD_RESET):
        if load_rescue().died(state, slot, keep):
            return "hard"
    if slot is None or slot != state.get("trial"):
        if state.get("crashes", 0) >= MOST_CRASHES:
            load_rescue().safe_mode(state, keep)
            machine.WDT(timeout=CONSOLE_MS)
            return None
        state["boots"] = state.get("boots", 0) + 1
    state["tries"] = state.get("tries", 0) + 1
    state["begun"] = 1
    keep(state)
    try:
        from firmware import start

        how = start.run()
        ended_well()
        return how
    except Exception as exc:
        failure = exc
    make_safe()
    load_rescue().crashed(state, slot, keep, failure, time.ticks_diff(time.ticks_ms(), began))
    return "hard"


def ended_well():
    """The start that ends was no failure, even if it was not confirmed yet."""
    state = load("/slots.json")
    if state.pop("begun", 0):
        state["tries"] -= 1
        keep(state)


try:
    how = run(state, slot)
except KeyboardInterrupt:
    machine.WDT(timeout=CONSOLE_MS)
    ended_well()
    raise
if how == "soft":
    machine.soft_reset()
if how:
    machine.reset()
