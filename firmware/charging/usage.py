"""Use of a connector as plain state: plug hold, owner, suspension. Pure functions."""

from micropython import const

# Where a usage stands
IDLE = "idle"  # nothing plugged in, no user
WAITING = "waiting"  # usage began (plug, card or remote start) but something is missing for a transaction
RUNNING = "running"  # a transaction runs
DONE = "done"  # the usage is over, but the cable is still in

NEXT_USE = 1 << 60  # ms that never come

_PLUGGING_MS = const(3_000)  # a plug that goes in may lose contact again, and finds it within that time


class Grant:
    """An authorised user for whom no transaction runs yet.

    `floating`: the card was shown before any plug, so that the user may still choose among the connectors. `profile`:
    a composite.Profile for the transaction.
    """

    def __init__(self, token, parent=None, floating=False, reservation=None, profile=None):
        self.token = token
        self.parent = parent
        self.floating = floating
        self.reservation = reservation
        self.profile = profile


class Usage:
    """The state of one connector.

    evse          its evse.control.Evse
    transaction   the running or stopping session.Transaction, or None
    grant         the Grant of an authorised user whose transaction has not begun, or None
    owner         (token, parent) of the user for whom the plug stays locked after the transaction, or None
    operative     the operator wants it in service
    reserved      kept for a user, see reservations.py
    used_up       the plug that is in has had its turn: a transaction, or the time-out
    plugged_ms    when the vehicle was plugged in, ms; only has a meaning while the EVSE is connected
    unplugged_ms  when the plug of an authorised user lost contact again, just after it went in, or None
    free_until    ms; a plug that was released is not locked again before
    seen          False: the pilot has not been looked at since the connector was out of service
    info          free text for the status, in the transaction and after it
    """

    def __init__(self, evse, operative):
        self.evse = evse
        self.transaction = None
        self.grant = None
        self.owner = None
        self.operative = operative
        self.reserved = False
        self.used_up = False
        self.plugged_ms = 0
        self.unplugged_ms = None
        self.free_until = 0
        self.seen = True
        self.info = ""


def phase(usage):
    """Returns IDLE, WAITING, RUNNING or DONE."""
    if usage.transaction and not usage.transaction.stopping:
        return RUNNING
    if usage.used_up and cable_in(usage.evse):
        return DONE
    return WAITING if usage.grant or usage.evse.connected else IDLE


def cable_in(evse):
    """Tells whether a cable is in the socket, or a vehicle at a fixed one."""
    # Without an EV the plug still shows in a socket by its coding resistor; a fixed cable has no plug here.
    return evse.connected or (evse.locked is not None and evse.cable_ma is not None)


def is_faulted(evse, by_vehicle=True):
    """Tells whether a fault forbids energy, one that lies with the vehicle only if asked for."""
    for fault in evse.faults:
        if fault.blocks and (by_vehicle or not fault.vehicle):
            return True
    return False


def in_service(usage):
    """A transaction keeps a connector in service until it has ended."""
    return usage.transaction is not None or usage.operative


def is_vacated(usage):
    """Tells whether the transaction only waits for its meter, and its plug is gone: the next user may begin."""
    return usage.transaction is not None and phase(usage) in (IDLE, WAITING)


def is_startable(usage):
    """Tells whether a user could begin here: in service, healthy, and no other user authorised before."""
    return (
        (usage.transaction is None or is_vacated(usage))
        and usage.grant is None
        and usage.owner is None
        and usage.operative
        and not is_faulted(usage.evse)
    )


def has_left(usage, now_ms):
    """Tells whether a plug that lost contact is out: the next vehicle must not charge for this user."""
    unplugged_ms = usage.unplugged_ms
    if unplugged_ms is None:
        return False
    return unplugged_ms - usage.plugged_ms >= _PLUGGING_MS or now_ms - unplugged_ms >= _PLUGGING_MS


def is_plug_held(usage, now_ms, settings):
    """Tells whether the plug stays locked; with LockEarly it is before a user is known."""
    if now_ms < usage.free_until or not in_service(usage):
        return False
    if usage.owner is not None:
        return True
    stands = phase(usage)
    if stands == WAITING:
        return usage.evse.connected and (usage.grant is not None or settings.get("LockEarly", False))
    return stands == RUNNING


def is_ready(usage):
    """Tells whether nothing is missing at the connector for the transaction of its user."""
    evse = usage.evse
    # A lock that fails must not leave a transaction behind that never gave energy.
    present = usage.grant is not None and evse.connected and evse.plug_locked
    return present and not is_faulted(evse) and in_service(usage)


def forget(usage):
    """Resets what belongs to a usage that is over."""
    usage.used_up, usage.free_until, usage.owner, usage.info = False, 0, None, ""
