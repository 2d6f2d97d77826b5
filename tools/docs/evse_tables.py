"""The fault table and the timing table of docs/evse.md."""

import importlib

# (module of firmware.evse, constant, what it is for, where it comes from)
TIMINGS = (
    ("pilot_state", "_CONNECT_MS", "plug detected (two samples)", "contact bounce"),
    ("pilot_state", "_READY_MS", "C or D before it is accepted", "A.6 seq. 4 allows 3 s; BMW iX3 toggles for 250 ms"),
    ("pilot_state", "LEAVE_MS", "C or D left (three samples), E, D or A", "A.6 seq. 2.2, 8.1: open within 100 ms"),
    ("machine", "FORCE_OPEN_AFTER_MS", "forced opening if the vehicle ignores the withdrawn PWM", "A.6 seq. 10.2"),
    ("pilot_output", "WITHDRAWN_AT_LEAST_MS", "minimum time without PWM after it was withdrawn", "A.6 seq. 10.1"),
    ("pilot_output", "DUTY_INTERVAL_MS", "minimum time between two duty cycles (not to a pause)", "A.5.3"),
    ("pilot_output", "STATE_F_AT_LEAST_MS", "state F after a fault while charging", "table A.5"),
    ("pilot_output", "STEADY_AFTER_F_MS", "+12 V between state F and a PWM", "field practice (EVerest)"),
    ("reclosing", "RECLOSE_AFTER_MS", "from opening to closing again", "field practice"),
    ("reclosing", "RECLOSE_AFTER_FAULT_MS", "the same after E, D or a fault", "field practice"),
    ("reclosing", "RECLOSE_AFTER_UNPLUG_MS", "the same after unplugging", "contact bounce"),
    ("reclosing", "FORGET_AFTER_MS", "without a failure until pauses start again at the first", "field reports"),
    ("reclosing", "PROVEN_AFTER_MS", "closed so long: the closing has succeeded", "vehicles take up to 10 s to draw"),
    ("reclosing", "AT_ONCE_MS", "power loss so soon after closing: caused by it", "field reports"),
    ("pilot_input", "BLANK_AFTER_DUTY_MS", "C to B ignored after a duty change", "BMW hybrids, against A.6 seq. 8.1"),
    ("pilot_input", "DISTURBED_AFTER_SWITCHING_MS", "then LEAVE_DISTURBED_MS applies", "coil beside the pilot"),
    ("pilot_state", "LEAVE_DISTURBED_MS", "C left for B (four samples)", "A.6 seq. 8.1: still within 100 ms"),
    ("pilot_input", "PILOT_SETTLE_MS", "pilot ignored after it was cut or in state F", "field practice"),
    ("pilot_input", "GONE_AFTER_MS", "proximity open, pilot not measurable: plug is out", "chattering contact"),
    ("recovery", "FIRST_PAUSE_MS", "pause after an exception in a connector, doubled each time", "transient causes"),
    ("recovery", "LONGEST_PAUSE_MS", "longest such pause", "one attempt a minute"),
    ("recovery", "PROVEN_MS", "time without exception before the fault ends", "no fault twice a second"),
    ("recovery", "FORGOTTEN_MS", "without failure until pauses start again at the first", "field practice"),
    ("machine", "UNLOCK_IN_F_AFTER_MS", "plug unlocked in static state F", "field practice"),
    ("supply_check", "FOLLOW_MS", "time that an earlier offer may still be drawn", "A.5.3"),
    ("contactor_check", "_SETTLE_MS", "auxiliary contact ignored after switching", "with the debounce: 1.25 s"),
    ("contactor_check", "_METER_SETTLE_MS", "load behind an open contactor ignored after opening", "slow meters"),
    ("cable", "_SETTLE_MS", "two equal readings of the proximity contact", "contact bounce"),
    ("lock_supervision", "_VERIFY_MS", "one try of the lock, three in all", "motor pulse and feedback"),
    ("lock_supervision", "_PAUSE_MS", "between two tries, driven the other way", "jammed bolt"),
    ("lock_supervision", "_LOST_MS", "lock feedback lost while charging", "chatter"),
    ("rcd_supervision", "_RESPONSE_MS", "self-test: trip after the test level", "devices answer within 740 ms"),
    ("rcd_supervision", "_RELEASE_MS", "self-test: trip gone after the test level", "devices take up to 2.1 s"),
    ("rcd_supervision", "_TEST_EVERY_MS", "maximum time between self-tests", "IEC 62955 practice"),
    ("faults", "RETRY_AFTER_MS", "recovery `retry`: between two of three tries", "IEC/UL practice"),
    ("faults", "REPEATS_WITHIN_MS", "recovery `again`: the third time within it waits for unplugging", "field reports"),
    ("sag", "_HOLD_MS", "without failure until a reduction after a sag ends", "field reports"),
    ("derating", "_BELIEVED_MS", "another temperature, or none, before it is accepted", "temperatures change slowly"),
    ("derating", "_RESUME_AFTER_MS", "below 60 C before charging resumes", "EVSE F10"),
    ("phase_switch", "_WAIT_MS", "pilot cut before phase switching", "slowest known vehicles"),
)

RECOVERY = {
    "auto": "by itself",
    "supply": "by itself, after a successful closing",
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
