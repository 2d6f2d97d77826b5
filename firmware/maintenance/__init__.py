"""Maintenance features, each loaded when it is first used: name -> module of this package."""

_FEATURES = {
    "Backup": "backup",
    "FactoryReset": "factory_reset",
    "Installation": "installation",
    "Unpacking": "unpacking",
}


def __getattr__(name):
    if name not in _FEATURES:
        raise AttributeError(name)
    module = __import__(__name__ + "." + _FEATURES[name], None, None, (name,))
    globals()[name] = feature = getattr(module, name)
    return feature
