"""Local authorisation list profile: OCPP 1.6 §5.10, §5.15 over the station's tag list."""

from micropython import const

from firmware.ocpp.errors import OCCURRENCE_VIOLATION, CallError
from firmware.ocpp.v16.tokens import expiry_of
from firmware.store.tags import TagEntry

# GetLocalListVersion.conf: the station has no list (errata 3.52)
_UNSUPPORTED = const(-1)

_LARGEST_VERSION = 0x7FFFFFFF


class LocalListProfile:
    """`tags` is the store.TagList."""

    def __init__(self, tags, settings, log):
        self._tags = tags
        self._settings = settings
        self._log = log

    def get_local_list_version(self, payload):
        """§5.10; 0 stands for an empty list."""
        enabled = self._settings.get("LocalAuthListEnabled")
        return {"listVersion": self._tags.version if enabled else _UNSUPPORTED}

    def send_local_list(self, payload):
        """§5.15. All or nothing: whatever is wrong with an update, the list stays as it was."""
        if not self._settings.get("LocalAuthListEnabled"):
            return {"status": "NotSupported"}
        version = payload["listVersion"]
        full = payload["updateType"] == "Full"
        received = payload.get("localAuthorizationList") or ()
        if len(received) > self._settings.get("LocalAuthListFullMaxLength" if full else "SendLocalListMaxLength"):
            raise CallError(OCCURRENCE_VIOLATION, "localAuthorizationList has too many entries")
        if not 0 < version <= _LARGEST_VERSION:
            return {"status": "Failed"}  # 0 and -1 mean something else (errata 3.52)
        if not full and version <= self._tags.version:
            return {"status": "VersionMismatch"}
        try:
            if full:
                self._tags.replace(version, _entries(received, True))
            else:
                self._tags.update(version, _entries(received, False))
        except (ValueError, OSError) as exc:
            self._log.warning("ocpp", "local list refused: %s", exc)
            return {"status": "Failed"}
        return {"status": "Accepted"}

    actions = {"GetLocalListVersion": get_local_list_version, "SendLocalList": send_local_list}


def _entries(received, full):
    """Yields (token, TagEntry, or None to remove it), as the list takes them. Raises ValueError."""
    for data in received:
        info = data.get("idTagInfo")
        if info:
            yield data["idTag"], TagEntry(info["status"], expiry_of(info), info.get("parentIdTag"))
        elif full:
            raise ValueError("no idTagInfo: %s" % data["idTag"])
        else:
            yield data["idTag"], None
