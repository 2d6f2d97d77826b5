"""OCPP 1.6: one file for each feature profile, loaded when the back-end first calls it. Name -> module."""

_FEATURES = {
    "Configuration": "configuration",
    "Core": "core",
    "FirmwareManagement": "firmware_management",
    "LocalList": "local_list",
    "RemoteControl": "remote_control",
    "RemoteTrigger": "remote_trigger",
    "Reservation": "reservation",
    "SmartCharging": "smart_charging",
    "charging_profile": "smart_charging",
}


def __getattr__(name):
    if name not in _FEATURES:
        raise AttributeError(name)
    module = __import__(__name__ + "." + _FEATURES[name], None, None, (name,))
    globals()[name] = feature = getattr(module, name)
    return feature
