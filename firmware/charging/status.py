"""The status of a connector: the nine words of OCPP 1.6 §4.9, decided in one pure function."""

from collections import namedtuple

AVAILABLE = "Available"
PREPARING = "Preparing"
CHARGING = "Charging"
SUSPENDED_EVSE = "SuspendedEVSE"
SUSPENDED_EV = "SuspendedEV"
FINISHING = "Finishing"
RESERVED = "Reserved"
UNAVAILABLE = "Unavailable"
FAULTED = "Faulted"

# Where a session stands, seen from the station:
IDLE = "idle"  # nobody uses the connector
WAITING = "waiting"  # usage began (plug, card or remote start) but something is missing for a transaction
RUNNING = "running"  # a transaction runs
DONE = "done"  # the usage is over, but the cable is still in


# What a connector reports: `state` (one of the nine words), the worst active fault (or None), and a free text. A fault
# beside a state other than Faulted is a warning: charging goes on (OCPP 1.6 §4.9).
Status = namedtuple("Status", ("state", "fault", "info"))


def status_word(session, before, faulted=False, operative=True, reserved=False, offering=False, requesting=False,
                delivering=False, settling=False):  # fmt: skip
    """Returns the word for a connector (OCPP 1.6 §4.9).

    session     IDLE, WAITING, RUNNING or DONE
    before      the word that was true until now; only matters while `settling`
    faulted     a fault forbids charging. It hides the word and nothing else, so the pre-fault word returns after it
    operative   False once nothing stands against being Unavailable; a transaction does
    reserved    kept for a user who has not identified yet: a plug alone does not begin his usage (§4.9 G2)
    offering    the station lets the vehicle have current: authorised, not paused, 6 A or more
    requesting  the vehicle asks for current (state C or D)
    delivering  the contactor is closed
    settling    the offer or the request is so young that the other side may still answer: a vehicle takes about a
                second from the pilot's PWM to state C, and that is no suspension
    """
    if faulted:
        return FAULTED
    if session == RUNNING:
        # SuspendedEVSE has precedence over SuspendedEV.
        if not offering:
            return SUSPENDED_EVSE
        if delivering and requesting:
            return CHARGING
        if settling and before in (PREPARING, SUSPENDED_EVSE, SUSPENDED_EV):
            return before
        return SUSPENDED_EVSE if requesting else SUSPENDED_EV
    if not operative:
        return UNAVAILABLE
    if session == DONE:
        return FINISHING
    if reserved:
        return RESERVED
    return PREPARING if session == WAITING else AVAILABLE
