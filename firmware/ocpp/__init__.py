"""The back-end's face: link, protocol, peer and outbox, independent of the OCPP version; v16/ is OCPP 1.6.

Large messages are loaded when the first one comes.
"""

_FEATURES = {"LargeMessage": "large", "envelope": "large"}


def __getattr__(name):
    if name not in _FEATURES:
        raise AttributeError(name)
    module = __import__(__name__ + "." + _FEATURES[name], None, None, (name,))
    globals()[name] = feature = getattr(module, name)
    return feature
