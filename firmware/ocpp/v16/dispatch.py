"""Dispatcher: action -> feature profile and method that answers it; NotSupported and NotImplemented.

A feature profile is served by a class of this package, which has a method for each of its actions, see method_name().
It is loaded when it is first called.
"""

import firmware.ocpp.v16 as v16
from firmware.ocpp.errors import NOT_IMPLEMENTED, NOT_SUPPORTED, CallError

# Feature profile, the class that serves it (None: nobody does), and the actions that a back-end may call (OCPP 1.6 §3.3
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

# Profiles that SupportedFeatureProfiles cannot switch off: there is always one, and two have no name there.
_ALWAYS = ("Core", "Security", "Vendor")

# The messages themselves have a word for "switched off", so that the profile answers them all the same.
_ANSWERED_WHEN_OFF = ("GetLocalListVersion", "SendLocalList", "ReserveNow")


def is_off(profile, settings):
    """Tells whether a feature profile is switched off by SupportedFeatureProfiles."""
    return profile not in _ALWAYS and profile not in settings.get("SupportedFeatureProfiles")


def method_name(action):
    """Returns the name of the method that answers an action: SendLocalList -> send_local_list."""
    return "".join(["_" + c.lower() if c.isupper() else c for c in action])[1:]


class Dispatcher:
    """Finds the method of an action. `parts` are what feature profiles name as their `needs`."""

    def __init__(self, parts, settings):
        self._parts = parts
        self._settings = settings
        self._profiles = {}  # name of its class -> feature profile
        self._methods = {}  # action that was called -> its method

    def profile(self, name):
        """Returns the feature profile that is an object of the class `name`. Raises CallError when it cannot serve."""
        if name not in self._profiles:
            profile = getattr(v16, name)
            self._profiles[name] = profile(*[self._parts[part] for part in profile.needs])
        return self._profiles[name]

    def handle(self, action, payload):
        """Returns the answer to a CALL: a payload, (payload, function to be called after it has been sent), a
        LongAnswer, or a coroutine that returns one of these.

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
