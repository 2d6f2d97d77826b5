"""SendLocalList and GetLocalListVersion (local authorisation list profile, OCPP 1.6 §5.10, §5.15)."""

import asyncio

from micropython import const

from firmware.ocpp.errors import OCCURRENCE_VIOLATION, CallError
from firmware.ocpp.v16.dispatch import is_off
from firmware.ocpp.v16.tokens import expiry_of, parent_of
from firmware.ocpp.v16.words import verdict_of
from firmware.store.room import ENOSPC, free_bytes
from firmware.store.tokens import TokenInfo

# GetLocalListVersion.conf when the local list is disabled (errata 3.52)
_UNSUPPORTED = const(-1)

_MARGIN = const(65536)  # bytes of flash left for the journal

_LARGEST_VERSION = 0x7FFFFFFF


class LocalList:
    needs = ("tags", "settings", "log")

    def __init__(self, tags, settings, log):
        self._tags = tags
        self._settings = settings
        self._log = log
        self._turn = asyncio.Lock()  # one update at a time

    def get_local_list_version(self, payload):
        """§5.10; 0 for an empty list."""
        return {"listVersion": self._tags.version if self._is_on() else _UNSUPPORTED}

    async def send_local_list(self, payload):
        """§5.15. All or nothing: an update with an error leaves the list unchanged.

        localAuthorizationList is a list, or large.ItemsOnFlash.
        """
        if not self._is_on():
            return {"status": "NotSupported"}
        version = payload["listVersion"]
        full = payload["updateType"] == "Full"
        received = payload.get("localAuthorizationList") or ()
        if len(received) > self._settings.get("LocalAuthListFullMaxLength" if full else "SendLocalListMaxLength"):
            raise CallError(OCCURRENCE_VIOLATION, "localAuthorizationList has too many entries")
        if not 0 < version <= _LARGEST_VERSION:
            return {"status": "Failed"}  # 0 and -1 have special meanings (errata 3.52)
        async with self._turn:
            if not full and version <= self._tags.version:
                return {"status": "VersionMismatch"}
            try:
                self._check_room(received, 0 if full else len(self._tags))
                if full:
                    await _work(self._tags.replacing(version, _entries(received, True)))
                else:
                    await _work(self._tags.updating(version, _entries(received, False)))
            except (ValueError, OSError) as exc:
                self._log.warning("ocpp", "local list refused: %s", exc)
                return {"status": "Failed"}
        return {"status": "Accepted"}

    def _is_on(self):
        return self._settings.get("LocalAuthListEnabled") and not is_off("LocalAuthListManagement", self._settings)

    def _check_room(self, received, kept):
        """Raises OSError when an update that leaves `kept` tokens would take flash reserved for the journal."""
        freed = received.size if hasattr(received, "size") else 0  # freed while the message is read
        if free_bytes(self._tags.path) + freed < self._tags.room_for(len(received), kept=kept) + _MARGIN:
            raise OSError(ENOSPC)


async def _work(steps):
    """Runs a generator to its end, letting other tasks run between its steps."""
    try:
        for _ in steps:
            await asyncio.sleep(0)
    finally:
        steps.close()


def _entries(received, full):
    """Yields (token, TokenInfo or None to remove it), as TagList takes them. Raises ValueError."""
    for data in received:
        info = data.get("idTagInfo")
        if info:
            yield data["idTag"], TokenInfo(verdict_of(info["status"]), expiry_of(info), parent_of(info))
        elif full:
            raise ValueError("idTagInfo is missing: %s" % data["idTag"])
        else:
            yield data["idTag"], None
