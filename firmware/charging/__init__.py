"""What a charging station does, free of any protocol. Features that not every station uses are loaded when they are
first asked for: name -> module of this package.
"""

_FEATURES = {"Reservations": "reservations", "Schedules": "schedules"}


def __getattr__(name):
    if name not in _FEATURES:
        raise AttributeError(name)
    module = __import__(__name__ + "." + _FEATURES[name], None, None, (name,))
    globals()[name] = feature = getattr(module, name)
    return feature
