# The hardware timers of the simulated board. MIT license.
"""Hardware timers, started by `machine.Timer` and fired by the event loop. An interrupt is an object with
fire(due_us, now_us), which returns the time when it is due again, or None."""

_NEVER = 1 << 60

_due = {}  # interrupt -> microseconds of the board's clock
_first_us = _NEVER


def start(interrupt, due_us):
    _due[interrupt] = due_us
    _sort()


def stop(interrupt):
    _due.pop(interrupt, None)
    _sort()


def next_us():
    """Returns the time of the next interrupt; far in the future without one."""
    return _first_us


def look(now_us):
    """Fires due interrupts. Returns True if there were any."""
    if now_us < _first_us:
        return False
    for interrupt in [one for one in _due if _due[one] <= now_us]:
        again_us = interrupt.fire(_due[interrupt], now_us)
        if interrupt not in _due:
            continue  # its callback has stopped it
        if again_us is None:
            del _due[interrupt]
        else:
            _due[interrupt] = again_us
    _sort()
    return True


def _sort():
    global _first_us
    _first_us = min(_due.values()) if _due else _NEVER
