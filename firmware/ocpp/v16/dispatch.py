"""Which profile answers a CALL, and what is answered when that profile is switched off or not there."""

from firmware.ocpp.errors import NOT_IMPLEMENTED, NOT_SUPPORTED, CallError

# The feature profile of every action that a back-end may call (OCPP 1.6 §3.3 with errata 3.2; security white paper).
PROFILE_OF = {
    "ChangeAvailability": "Core",
    "ChangeConfiguration": "Core",
    "ClearCache": "Core",
    "DataTransfer": "Core",
    "GetConfiguration": "Core",
    "RemoteStartTransaction": "Core",
    "RemoteStopTransaction": "Core",
    "Reset": "Core",
    "UnlockConnector": "Core",
    "GetDiagnostics": "FirmwareManagement",
    "UpdateFirmware": "FirmwareManagement",
    "GetLocalListVersion": "LocalAuthListManagement",
    "SendLocalList": "LocalAuthListManagement",
    "CancelReservation": "Reservation",
    "ReserveNow": "Reservation",
    "ClearChargingProfile": "SmartCharging",
    "GetCompositeSchedule": "SmartCharging",
    "SetChargingProfile": "SmartCharging",
    "TriggerMessage": "RemoteTrigger",
    "CertificateSigned": "Security",
    "DeleteCertificate": "Security",
    "ExtendedTriggerMessage": "Security",
    "GetInstalledCertificateIds": "Security",
    "GetLog": "Security",
    "InstallCertificate": "Security",
    "SignedUpdateFirmware": "Security",
}

# Profiles that SupportedFeatureProfiles can name, and so switch off.
OPTIONAL = ("FirmwareManagement", "LocalAuthListManagement", "Reservation", "SmartCharging", "RemoteTrigger")

# What an action of a profile that is off answers where the message itself has a word for it.
_ANSWER_WHEN_OFF = {
    "GetLocalListVersion": {"listVersion": -1},
    "SendLocalList": {"status": "NotSupported"},
    "ReserveNow": {"status": "Rejected"},
}


def is_off(profile, settings):
    """Tells whether a feature profile is switched off by SupportedFeatureProfiles."""
    return profile in OPTIONAL and profile not in settings.get("SupportedFeatureProfiles")


class Dispatcher:
    """Finds the method of an action. A profile has `actions`, {action name: function (profile, payload)}.

    `late` is {name of a profile: function that returns it}: those are loaded when the first CALL needs them.
    """

    def __init__(self, profiles, settings, late):
        self._settings = settings
        self._methods = {}
        self._late = late
        for profile in profiles:
            self._add(profile)

    def _add(self, profile):
        for action, method in profile.actions.items():
            self._methods[action] = (profile, method)

    async def handle(self, action, payload):
        """Returns the answer to a CALL: a payload, or (payload, function to be called after it has been sent).

        Raises CallError: NotImplemented for an unknown action, NotSupported for a known one (OCPP-J 1.6 table 7).
        """
        name = PROFILE_OF.get(action)
        if name is None:
            raise CallError(NOT_IMPLEMENTED, "unknown action")
        if is_off(name, self._settings):
            if action in _ANSWER_WHEN_OFF:
                return dict(_ANSWER_WHEN_OFF[action])
            raise CallError(NOT_SUPPORTED, "profile %s is off" % name)
        if name in self._late:
            self._add(self._late.pop(name)())
        if action not in self._methods:
            raise CallError(NOT_SUPPORTED, "not supported")
        profile, method = self._methods[action]
        answer = method(profile, payload)
        if hasattr(answer, "send"):  # an async method
            answer = await answer
        return answer
