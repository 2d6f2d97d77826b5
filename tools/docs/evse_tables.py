"""The fault table and the timing table of docs/evse.md."""

import importlib

# (module of firmware.evse, constant, what it is for, where it comes from)
TIMINGS = (
    ("pilot_state", "_CONNECT_MS", "plug seen (two samples)", "contact bounce"),
    ("pilot_state", "_READY_MS", "C or D held before it counts", "A.6 seq. 4 allows 3 s; BMW iX3 toggles for 250 ms"),
    ("pilot_state", "LEAVE_MS", "C or D left (three samples), E, D, A", "A.6 seq. 2.2, 8.1: open within 100 ms"),
    ("machine", "FORCE_OPEN_AFTER_MS", "opening under load of a vehicle that ignores the pause", "A.6 seq. 10.2"),
    ("machine", "WITHDRAWN_AT_LEAST_MS", "a withdrawn PWM stays away", "A.6 seq. 10.1"),
    ("machine", "DUTY_INTERVAL_MS", "between two duty cycles (not to a pause)", "A.5.3"),
    ("machine", "STATE_F_AT_LEAST_MS", "state F after a fault while charging", "table A.5"),
    ("machine", "STEADY_AFTER_F_MS", "+12 V between state F and a PWM", "field practice (EVerest)"),
    ("reclosing", "RECLOSE_AFTER_MS", "from opening to closing again", "field practice"),
    ("reclosing", "RECLOSE_AFTER_FAULT_MS", "the same after E, D or a fault", "field practice"),
    ("reclosing", "RECLOSE_AFTER_UNPLUG_MS", "the same after unplugging", "contact bounce"),
    ("reclosing", "FORGET_AFTER_MS", "without a failure: the next one is the first again", "field reports"),
    ("reclosing", "PROVEN_AFTER_MS", "a closing has proved itself", "vehicles take up to 10 s to draw"),
    ("reclosing", "AT_ONCE_MS", "power that goes so soon after closing was taken down by it", "field reports"),
    ("machine", "BLANK_AFTER_DUTY_MS", "C to B not believed after a duty change", "BMW hybrids, against A.6 seq. 8.1"),
    ("machine", "DISTURBED_AFTER_SWITCHING_MS", "after a switching the next line holds", "coil beside the pilot"),
    ("pilot_state", "LEAVE_DISTURBED_MS", "C left for B (four samples)", "A.6 seq. 8.1: 100 ms all the same"),
    ("machine", "PILOT_SETTLE_MS", "pilot not evaluated after it was cut or in state F", "field practice"),
    ("machine", "GONE_AFTER_MS", "proximity open while the pilot is blind: the plug is out", "chattering contact"),
    ("recovery", "FIRST_PAUSE_MS", "rest after an exception in a connector, doubled each time", "transient causes"),
    ("recovery", "LONGEST_PAUSE_MS", "the longest such rest", "one attempt a minute"),
    ("recovery", "PROVEN_MS", "work without exception before the fault ends", "no fault twice a second"),
    ("recovery", "FORGOTTEN_MS", "without trouble until the first pause counts again", "field practice"),
    ("machine", "UNLOCK_IN_F_AFTER_MS", "plug given back in static state F", "field practice"),
    ("supply_check", "FOLLOW_MS", "a current that was offered may still be drawn", "A.5.3"),
    ("contactor_check", "_SETTLE_MS", "auxiliary contact not judged after a switching", "with the debounce: 1.25 s"),
    ("contactor_check", "_METER_SETTLE_MS", "a load behind an open contactor is not judged", "slow meters"),
    ("cable", "_SETTLE_MS", "two equal looks at the proximity", "contact bounce"),
    ("lock_supervision", "_VERIFY_MS", "one try of the lock, three in all", "motor pulse and feedback"),
    ("lock_supervision", "_PAUSE_MS", "between two tries, driven the other way", "jammed bolt"),
    ("lock_supervision", "_LOST_MS", "feedback lost while charging", "chatter"),
    ("rcd_supervision", "_RESPONSE_MS", "self-test: trip after the test level", "devices answer within 740 ms"),
    ("rcd_supervision", "_RELEASE_MS", "self-test: trip gone after the test level", "devices take up to 2.1 s"),
    ("rcd_supervision", "_TEST_EVERY_MS", "self-test at the latest", "IEC 62955 practice"),
    ("faults", "RETRY_AFTER_MS", "recovery `retry`: between two of three tries", "IEC/UL practice"),
    ("faults", "REPEATS_WITHIN_MS", "recovery `again`: the third time within it waits for unplugging", "field reports"),
    ("sag", "_HOLD_MS", "less current after a sag under load, until nothing has failed for", "field reports"),
    ("derating", "_BELIEVED_MS", "another temperature, or none, before it counts", "copper has no spikes"),
    ("derating", "_RESUME_AFTER_MS", "below 60 C before charging resumes", "EVSE F10"),
    ("phase_switch", "_WAIT_MS", "pilot cut before the number of phases changes", "slowest known vehicles"),
)

RECOVERY = {
    "auto": "by itself",
    "supply": "by itself, proved by a closing",
    "again": "after the pause; unplug at the 3rd time in 10 min",
    "unplug": "unplug",
    "retry": "unplug, or 3 x 15 min, then latched",
    "latched": "restart",
}


def duration(ms):
    """Returns milliseconds as a person writes them."""
    for unit, size in (("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if ms >= size and ms % (size // 4 if size == 1_000 else size) == 0:
            return f"{ms / size:g} {unit}"
    return f"{ms} ms" if ms else "-"


def fault_table():
    faults = importlib.import_module("firmware.evse.faults")
    yield "| fault | vendorErrorCode | text | after | gone for | recovery | blocks |"
    yield "|---|---|---|---|---|---|---|"
    for fault in map(faults.Fault, faults.names()):
        yield (
            f"| {fault.name} | {fault.code} | {fault.text} | {duration(fault.debounce_ms)} | "
            f"{duration(fault.clear_ms)} | {RECOVERY[fault.recovery]} | {'yes' if fault.blocks else 'no'} |"
        )


def timing_table():
    yield "| time | what | source | constant |"
    yield "|---|---|---|---|"
    for module, name, what, source in TIMINGS:
        value = getattr(importlib.import_module(f"firmware.evse.{module}"), name)
        yield f"| {duration(value)} | {what} | {source} | `{module}.{name}` |"


PAGE = "evse.md"
TABLES = {"faults": fault_table, "timings": timing_table}
