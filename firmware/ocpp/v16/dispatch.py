"""Which method answers a CALL, and what is answered when its profile is switched off or not there.

actions.txt has the actions that a back-end may call (OCPP 1.6 §3.3 with errata 3.2; security white paper). A line is a
feature profile, the module of this package that serves it ("-": none), and the actions. The module has a class
`FeatureProfile(link)` with a method for each of them, see method_name(). It is imported when it is first called: all of
them together are 15 KB of heap, and few stations hear every action.
"""

from firmware.ocpp.errors import NOT_IMPLEMENTED, NOT_SUPPORTED, CallError

ACTIONS = "/actions.txt"

# Profiles that SupportedFeatureProfiles cannot switch off: there is always one, and two have no name there.
_ALWAYS = ("Core", "Security", "Vendor")

# The messages themselves have a word for "switched off", so that the profile answers them all the same.
_ANSWERED_WHEN_OFF = "GetLocalListVersion SendLocalList ReserveNow"


def is_off(profile, settings):
    """Tells whether a feature profile is switched off by SupportedFeatureProfiles."""
    return profile not in _ALWAYS and profile not in settings.get("SupportedFeatureProfiles")


def method_name(action):
    """Returns the name of the method that answers an action: SendLocalList -> send_local_list."""
    return "".join(["_" + c.lower() if c.isupper() else c for c in action])[1:]


class Dispatcher:
    """Finds the method of an action. `link` is the StationLink, which the profiles are made for."""

    def __init__(self, link):
        self._link = link
        self._profiles = {}  # module -> its FeatureProfile
        self._methods = {}  # action that was called -> its method

    def profile(self, module):
        """Returns the FeatureProfile in a module of this package. Raises CallError when it cannot serve."""
        if module not in self._profiles:
            name = __name__.rpartition(".")[0] + "." + module
            self._profiles[module] = __import__(name, None, None, ("FeatureProfile",)).FeatureProfile(self._link)
        return self._profiles[module]

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
        with open(__file__.rpartition("/")[0] + ACTIONS) as file:
            for line in file.read().split("\n"):
                words = line.split()
                if action in words[2:]:
                    break
            else:
                raise CallError(NOT_IMPLEMENTED, "unknown action")
        profile, module = words[:2]
        if module == "-" or (is_off(profile, self._link.settings) and action not in _ANSWERED_WHEN_OFF.split()):
            raise CallError(NOT_SUPPORTED, "profile %s is not there" % profile)
        return getattr(self.profile(module), method_name(action))
