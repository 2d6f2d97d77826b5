"""Reason why a connector gives no energy, in words for people and logs."""


def hold_reason(machine, now_ms):
    """Returns the reason why no energy flows at a machine.Machine, in one or two words; None while it flows."""
    if machine.outputs.close:
        return None
    if not machine.wishes.available:
        return "unavailable"
    if machine.faults.blocking:
        return "fault " + machine.faults.active[0].name
    if machine.state == "A":
        return "no vehicle"
    if not machine.plug.usable:
        return "cable"
    if not machine.wishes.permitted:
        return "not permitted"
    milliamps, slot = machine.limits.allowed()
    if not milliamps:
        return "limit " + slot
    if machine.phase_switch.holds:
        return "phase switching"
    if not machine.vehicle_ready:
        return "vehicle"
    if not machine.plug.locked:
        return "lock"
    if not machine.supervision.rcd.passed:
        return "rcd test"
    if machine.waits(now_ms):
        return "waiting"
    return "pilot"
