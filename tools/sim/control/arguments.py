# Arguments of the commands. MIT license.
"""Checks the arguments of a request; raises CommandError before anything has changed."""

from tools.sim.control.server import CommandError

NUMBER = (int, float)


def argument(request, name, kind, default=None, required=True):
    """Returns an argument of the required type. Raises CommandError."""
    value = request.get(name)
    if value is None:
        if default is None and required:
            raise CommandError("%s is missing" % name)
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise CommandError("%s has the wrong type" % name)
    return value


def choice(request, name, values):
    value = request.get(name)
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value not in values:
        raise CommandError("%s must be one of %s" % (name, ", ".join(str(v) for v in values)))
    return value


def number(request, name, low, high, default=None):
    value = argument(request, name, NUMBER, default)
    if not low <= value <= high:
        raise CommandError("%s must be from %s to %s" % (name, low, high))
    return value


def whole(request, name, low, high, default=None):
    """Returns an integer in a range, or `default` when it is missing and has one."""
    value = argument(request, name, int, default, required=False)
    if value is not None and not low <= value <= high:
        raise CommandError("%s must be from %s to %s" % (name, low, high))
    return value


def text(request, name, longest, required=True):
    value = argument(request, name, str, required=required)
    if value is not None and not 1 <= len(value) <= longest:
        raise CommandError("%s must have 1 to %d characters" % (name, longest))
    return value


def three(request, name, low, high):
    """Returns a list of three numbers in a range as thousandths."""
    values = argument(request, name, list)
    if len(values) != 3:
        raise CommandError("%s must be a list of 3" % name)
    return tuple(int(number({name: value}, name, low, high) * 1000 + 0.5) for value in values)
