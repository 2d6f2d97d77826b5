"""Factory reset: removes settings, lists and caches; keeps transactions that are not delivered yet.

Kept are the journal and how far the back-end has acknowledged it, so that transactions are still delivered; what wear
and starts of the hardware have been; and what is remembered of the contactors for safety. factory.json and the versions
in the slots are not touched.
"""

import os

# Names in the directory of all that is durable, without the suffixes of store.slots.
_KEPT = ("journal", "outbox", "wear", "starts", "settings")
_KEPT_PREFIX = "closing"  # with the number of the connector
_DIRECTORY = 0x4000


class FactoryReset:
    """Of what lies in the directory `storage`; `settings` is the store.Settings of it, in which it was asked for."""

    def __init__(self, storage, settings, log):
        self._storage = storage
        self._settings = settings
        self._log = log

    def perform(self):
        """Removes everything else, the settings last: a power cut leaves the wish in them. Raises OSError."""
        self._log.warning("maintenance", "factory reset: transactions are kept until they are delivered")
        for entry in list(os.ilistdir(self._storage)):
            name = entry[0]
            stem = name.partition(".")[0]
            if stem not in _KEPT and not stem.startswith(_KEPT_PREFIX):
                _remove(self._storage + "/" + name, entry[1])
        self._settings.clear("FactoryReset")


def _remove(path, kind):
    if kind != _DIRECTORY:
        os.remove(path)
        return
    for entry in list(os.ilistdir(path)):
        _remove(path + "/" + entry[0], entry[1])
    os.rmdir(path)
