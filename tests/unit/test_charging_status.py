"""The states from which the nine words of OCPP 1.6 §4.9 follow, one row for each situation."""

from firmware.charging.status import state_of
from firmware.charging.usage import DONE, IDLE, RUNNING, WAITING

OFFER, ASKS, FLOWS, YOUNG = "offering", "requesting", "delivering", "settling"

TABLE = (
    # session, word before, what else is the case, word
    (IDLE, "done", (), "free"),
    (IDLE, "free", ("reserved",), "reserved"),
    (IDLE, "free", ("inoperative",), "out of service"),
    (IDLE, "reserved", ("inoperative", "reserved"), "out of service"),
    (IDLE, "free", ("faulted",), "faulted"),
    (WAITING, "free", (), "waiting"),
    (WAITING, "reserved", ("reserved",), "reserved"),
    (WAITING, "free", ("faulted",), "faulted"),
    (WAITING, "out of service", ("inoperative",), "out of service"),
    (RUNNING, "waiting", (OFFER, ASKS, FLOWS), "charging"),
    (RUNNING, "waiting", (OFFER, YOUNG), "waiting"),
    (RUNNING, "waiting", (OFFER, ASKS, YOUNG), "waiting"),
    (RUNNING, "waiting", (OFFER,), "suspended by vehicle"),
    (RUNNING, "waiting", (OFFER, ASKS), "suspended by station"),  # lock, self-test, waiting time
    (RUNNING, "waiting", (), "suspended by station"),
    (RUNNING, "charging", (OFFER,), "suspended by vehicle"),
    (RUNNING, "charging", (OFFER, YOUNG), "suspended by vehicle"),  # B after C is the vehicle's wish
    (RUNNING, "charging", (YOUNG,), "suspended by station"),
    (RUNNING, "charging", (ASKS, FLOWS), "suspended by station"),  # PWM withdrawn, the vehicle has not yet answered
    (RUNNING, "suspended by vehicle", (), "suspended by station"),  # both: precedence
    (RUNNING, "suspended by vehicle", (OFFER, ASKS, YOUNG), "suspended by vehicle"),
    (RUNNING, "suspended by station", (OFFER, YOUNG), "suspended by station"),
    (RUNNING, "suspended by station", (OFFER,), "suspended by vehicle"),
    (RUNNING, "suspended by station", (OFFER, ASKS, FLOWS), "charging"),
    (RUNNING, "charging", ("faulted", OFFER, ASKS), "faulted"),
    (RUNNING, "faulted", (OFFER, ASKS, FLOWS), "charging"),
    (RUNNING, "faulted", (), "suspended by station"),
    (DONE, "charging", (), "done"),
    (DONE, "charging", (ASKS, FLOWS), "done"),
    (DONE, "done", ("inoperative",), "out of service"),
    (DONE, "done", ("faulted", "inoperative"), "faulted"),
)


def test_every_situation_has_its_word():
    for session, before, facts, expected in TABLE:
        word = state_of(
            session,
            before,
            faulted="faulted" in facts,
            operative="inoperative" not in facts,
            reserved="reserved" in facts,
            offering=OFFER in facts,
            requesting=ASKS in facts,
            delivering=FLOWS in facts,
            settling=YOUNG in facts,
        )
        assert word == expected, (session, before, facts, word)
