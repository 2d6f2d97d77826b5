"""Dispatcher: action -> feature profile and method that answers it; NotSupported and NotImplemented.

Each feature profile has a class in this package with a method for each of its actions, see method_name(). The class is
loaded at its first call.
"""

import firmware.ocpp.v16 as v16
from firmware.ocpp.errors import NOT_IMPLEMENTED, NOT_SUPPORTED, CallError

# Feature profile, its class (None: not implemented), and the actions that a back-end may call (OCPP 1.6 §3.3
# with errata 3.2; security white paper).
ACTIONS = (
    ("Core", "Configuration", ("ChangeConfiguration", "GetConfiguration")),
    (
        "Core",
        "Core",
        (
            "ChangeAvailability",
            "ClearCache",
            "DataTransfer",
            "Reset",
            "UnlockConnector",
        ),
    ),
    ("Core", "RemoteControl", ("RemoteStartTransaction", "RemoteStopTransaction")),
    ("FirmwareManagement", "FirmwareManagement", ("GetDiagnostics", "UpdateFirmware")),
    ("LocalAuthListManagement", "LocalList", ("GetLocalListVersion", "SendLocalList")),
    ("Reservation", "Reservation", ("CancelReservation", "ReserveNow")),
    ("SmartCharging", "SmartCharging", ("ClearChargingProfile", "GetCompositeSchedule", "SetChargingProfile")),
    ("RemoteTrigger", "RemoteTrigger", ("TriggerMessage",)),
    (
        "Security",
        None,
        (
            "CertificateSigned",
            "DeleteCertificate",
            "ExtendedTriggerMessage",
            "GetInstalledCertificateIds",
            "GetLog",
            "InstallCertificate",
            "SignedUpdateFirmware",
        ),
    ),
)

# Profiles that SupportedFeatureProfiles cannot switch off: Core is mandatory, the others have no name there.
_ALWAYS = ("Core", "Security", "Vendor")

# Their answers have a status for "not supported", so the profile answers them even when it is switched off.
_ANSWERED_WHEN_OFF = ("GetLocalListVersion", "SendLocalList", "ReserveNow")


def is_off(profile, settings):
    """Returns True when a feature profile is switched off by SupportedFeatureProfiles."""
    return profile not in _ALWAYS and profile not in settings.get("SupportedFeatureProfiles")


def method_name(action):
    """Returns the name of the method that answers an action: SendLocalList -> send_local_list."""
    return "".join(["_" + c.lower() if c.isupper() else c for c in action])[1:]


class Dispatcher:
    """Finds the method of an action. `parts`: {name: object}, from which each profile takes its `needs`."""

    def __init__(self, parts, settings):
        self._parts = parts
        self._settings = settings
        self._profiles = {}  # class name -> feature profile object
        self._methods = {}  # action -> method, of actions that were called before

    def profile(self, name):
        """Returns the feature profile object of the class `name`. Raises CallError when the profile is unavailable."""
        if name not in self._profiles:
            profile = getattr(v16, name)
            self._profiles[name] = profile(*[self._parts[part] for part in profile.needs])
        return self._profiles[name]

    def handle(self, action, payload):
        """Returns the answer to a CALL: a payload, (payload, function to call after it was sent), a LongAnswer, or a
        coroutine that returns one of these.

        Raises CallError: NotImplemented for an unknown action, NotSupported for a known one (OCPP-J 1.6 table 7).
        """
        method = self._methods.get(action)
        if method is None:
            method = self._methods[action] = self._find(action)
        return method(payload)

    def _find(self, action):
        for profile, name, actions in ACTIONS:
            if action in actions:
                if name is None or (is_off(profile, self._settings) and action not in _ANSWERED_WHEN_OFF):
                    raise CallError(NOT_SUPPORTED, "profile %s is not supported" % profile)
                return getattr(self.profile(name), method_name(action))
        raise CallError(NOT_IMPLEMENTED, "unknown action")
