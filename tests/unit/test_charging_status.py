"""The nine status words of OCPP 1.6 §4.9, one row for each situation."""

from firmware.charging.status import DONE, IDLE, RUNNING, WAITING, status_word

OFFER, ASKS, FLOWS, YOUNG = "offering", "requesting", "delivering", "settling"

TABLE = (
    # session, word before, what else is the case, word
    (IDLE, "Finishing", (), "Available"),
    (IDLE, "Available", ("reserved",), "Reserved"),
    (IDLE, "Available", ("inoperative",), "Unavailable"),
    (IDLE, "Reserved", ("inoperative", "reserved"), "Unavailable"),
    (IDLE, "Available", ("faulted",), "Faulted"),
    (WAITING, "Available", (), "Preparing"),
    (WAITING, "Reserved", ("reserved",), "Reserved"),
    (WAITING, "Available", ("faulted",), "Faulted"),
    (WAITING, "Unavailable", ("inoperative",), "Unavailable"),
    (RUNNING, "Preparing", (OFFER, ASKS, FLOWS), "Charging"),
    (RUNNING, "Preparing", (OFFER, YOUNG), "Preparing"),
    (RUNNING, "Preparing", (OFFER, ASKS, YOUNG), "Preparing"),
    (RUNNING, "Preparing", (OFFER,), "SuspendedEV"),
    (RUNNING, "Preparing", (OFFER, ASKS), "SuspendedEVSE"),  # the station does not close: lock, self-test, waiting time
    (RUNNING, "Preparing", (), "SuspendedEVSE"),
    (RUNNING, "Charging", (OFFER,), "SuspendedEV"),
    (RUNNING, "Charging", (OFFER, YOUNG), "SuspendedEV"),  # state B after C is the vehicle's wish, known at once
    (RUNNING, "Charging", (YOUNG,), "SuspendedEVSE"),
    (RUNNING, "Charging", (ASKS, FLOWS), "SuspendedEVSE"),  # PWM withdrawn, the vehicle has not yet answered
    (RUNNING, "SuspendedEV", (), "SuspendedEVSE"),  # both: precedence
    (RUNNING, "SuspendedEV", (OFFER, ASKS, YOUNG), "SuspendedEV"),
    (RUNNING, "SuspendedEVSE", (OFFER, YOUNG), "SuspendedEVSE"),
    (RUNNING, "SuspendedEVSE", (OFFER,), "SuspendedEV"),
    (RUNNING, "SuspendedEVSE", (OFFER, ASKS, FLOWS), "Charging"),
    (RUNNING, "Charging", ("faulted", OFFER, ASKS), "Faulted"),
    (RUNNING, "Faulted", (OFFER, ASKS, FLOWS), "Charging"),
    (RUNNING, "Faulted", (), "SuspendedEVSE"),
    (DONE, "Charging", (), "Finishing"),
    (DONE, "Charging", (ASKS, FLOWS), "Finishing"),
    (DONE, "Finishing", ("inoperative",), "Unavailable"),
    (DONE, "Finishing", ("faulted", "inoperative"), "Faulted"),
)


def test_every_situation_has_its_word():
    for session, before, facts, expected in TABLE:
        word = status_word(
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
