"""Status of a connector (Available, Preparing, Charging, ...): one pure function, watched for changes."""

from collections import namedtuple

from micropython import const

from firmware.charging.usage import DONE, IDLE, RUNNING, WAITING, in_service, is_faulted, phase
from firmware.kernel.signal import Signal

# States, besides WAITING (something is missing before energy can flow: user, vehicle, its answer) and DONE
FREE = "free"
CHARGING = "charging"
SUSPENDED_BY_STATION = "suspended by station"
SUSPENDED_BY_VEHICLE = "suspended by vehicle"
RESERVED = "reserved"
OUT_OF_SERVICE = "out of service"
FAULTED = "faulted"

# A vehicle needs about a second from the pilot's PWM to state C and may take two; then its C is debounced (500 ms) and
# the contactor closes.
_SETTLE_MS = const(3_000)

# What a connector reports: `state`, the worst active fault (or None), and a free text. A fault beside a state other
# than FAULTED is a warning: charging goes on (OCPP 1.6 §4.9).
Status = namedtuple("Status", ("state", "fault", "info"))


def state_of(stands, before, faulted=False, operative=True, reserved=False, offering=False, requesting=False,
             delivering=False, settling=False):  # fmt: skip
    """Returns the state of a connector, such that the words of OCPP 1.6 §4.9 follow from it.

    stands      IDLE, WAITING, RUNNING or DONE, see usage.phase()
    before      the state until now; only matters while `settling`
    faulted     a fault forbids charging. It hides the state and nothing else: the pre-fault state returns after it
    operative   False once nothing stands against being out of service; a transaction does
    reserved    kept for a user who has not identified yet: a plug alone does not begin a usage (§4.9 G2)
    offering    the station lets the vehicle have current: authorised, not paused, 6 A or more
    requesting  the vehicle asks for current (state C or D)
    delivering  the contactor is closed
    settling    the offer or the request is so young that the other side may still answer: a vehicle takes about a
                second from the pilot's PWM to state C, and that is no suspension
    """
    if faulted:
        return FAULTED
    if stands == RUNNING:
        # Where both suspend, the station has precedence (§4.9).
        if not offering:
            return SUSPENDED_BY_STATION
        if delivering and requesting:
            return CHARGING
        if settling and before in (WAITING, SUSPENDED_BY_STATION, SUSPENDED_BY_VEHICLE):
            return before
        return SUSPENDED_BY_STATION if requesting else SUSPENDED_BY_VEHICLE
    if not operative:
        return OUT_OF_SERVICE
    if stands == DONE:
        return DONE
    if reserved:
        return RESERVED
    return WAITING if stands == WAITING else FREE


class StatusWatch:
    """Follows the Usage of connector `number`. `status` is the newest Status, `changed` is Signal(number, Status)."""

    def __init__(self, number, usage, clock, log):
        self._number = number
        self._usage = usage
        self._clock = clock
        self._told = None  # the Status that was emitted last
        self._answer_ms = 0  # when the offer or the request changed last
        self._asked = 0
        self._offered_ma = 0
        self.status = Status(FREE if usage.operative else OUT_OF_SERVICE, None, "")
        self.changed = Signal(log.observer_failed)

    def step(self):
        """Decides the status of this moment and emits it if it is another one."""
        usage = self._usage
        evse = usage.evse
        stands = phase(usage)
        # Without a vehicle there is no cable rating, and nothing is withheld.
        paused = stands != RUNNING or usage.transaction.suspended or (evse.connected and evse.limit[0] == 0)
        settling = self._settling(paused)
        state = state_of(
            stands,
            self.status.state,
            # What a vehicle in use causes only suspends it: the station itself is not at fault (OCPP 1.6 §7.6).
            faulted=is_faulted(evse, stands == IDLE),
            operative=in_service(usage) and usage.seen,
            reserved=usage.reserved and usage.grant is None,
            offering=not paused and not is_faulted(evse) and (evse.offered_ma > 0 or settling or not evse.connected),
            requesting=evse.vehicle_ready,
            delivering=evse.charging,
            settling=settling,
        )
        info = self._info(state, stands, settling)
        fault = evse.faults[0] if evse.faults else None
        told = self._told
        if told is None or state != told.state or fault is not told.fault or info != told.info:
            self.status = new = Status(state, fault, info)
            self.changed.emit(self._number, new)
            self._told = new

    def _settling(self, paused):
        evse = self._usage.evse
        now = self._clock.ms()
        asked = (not paused) + 2 * evse.vehicle_ready
        # An offer that comes back has to be answered, too, whatever had withdrawn it (a change of phases, a fault).
        if asked != self._asked or evse.waking or (evse.offered_ma and not self._offered_ma):
            self._asked = asked
            self._answer_ms = now
        self._offered_ma = evse.offered_ma
        return now - self._answer_ms < _SETTLE_MS

    def _info(self, state, stands, settling):
        usage = self._usage
        if state == FAULTED:
            return ""  # the info beside a fault is the fault's
        info = usage.info if stands in (RUNNING, DONE) else ""
        if state != SUSPENDED_BY_STATION or info or usage.transaction.suspended or is_faulted(usage.evse):
            return info
        milliamps, slot = usage.evse.limit
        if not milliamps and slot != "none":
            return "%s limit below 6 A" % slot  # less than a pilot can signal, IEC 61851-1 table A.7
        # Until the vehicle has answered: one status less to report.
        return self.status.info if settling and self.status.state == state else info
