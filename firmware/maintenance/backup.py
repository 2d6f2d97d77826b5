"""Backup and restore of what was set up, as one document (a dict that becomes JSON).

    {"backup": 1, "firmware": "...", "settings": {name: text},
     "secrets": {"iterations": n, "salt": hex, "iv": hex, "data": hex, "mac": hex},      only with a passphrase
     "local_list": {"version": n, "tags": [[token, status, expiry, parent], ...]}}       only if wanted

Secrets are encrypted with AES-256-CBC and authenticated over salt, iv and data with HMAC-SHA256 (encrypt, then MAC);
both keys come from the passphrase by PBKDF2-HMAC-SHA256.
"""

import asyncio
import binascii
import json
import os

import cryptolib
from micropython import const
from pbkdf2 import deriving, equal, hmac_sha256

from firmware.store.settings import InvalidValue
from firmware.store.tags import TagEntry

_FORMAT = const(1)
_CBC = const(2)
_BLOCK = const(16)
_KEY = const(32)

# Estimated 1.5 s on an ESP32, two blocks of PBKDF2 together; who guesses has to pay it for each guess.
_ITERATIONS = const(2_500)
_MOST_ITERATIONS = const(10_000)  # what a foreign document may cost
_ITERATIONS_AT_ONCE = const(8)  # before others run: less than 5 ms on an ESP32
_SHORTEST_PASSPHRASE = const(8)
_MOST_SECRET_BYTES = const(4_096)
_MOST_TAGS = const(500)  # the document is built in RAM; a longer list comes from the back-end anyway


class BackupError(ValueError):
    """The document cannot be made or restored; the text says why, for a person."""


class Backup:
    """Makes and restores backups of `settings` (store.Settings) and `tags` (store.TagList)."""

    def __init__(self, settings, tags, version):
        self._settings = settings
        self._tags = tags
        self._version = version

    async def export(self, passphrase=None, local_list=False):
        """Returns the document. Without a passphrase there are no secrets in it. Raises BackupError, OSError.

        Settings that nobody may change are the station's own and not in it.
        """
        plain, secret = {}, {}
        for name in self._settings.names():
            row = self._settings.setting(name)
            if not row.who or not self._settings.is_set(name):
                continue
            if row.kind == "secret":
                secret[name] = self._settings.get(name)
            else:
                plain[name] = self._settings.text(name)
        document = {"backup": _FORMAT, "firmware": self._version, "settings": plain}
        if passphrase is not None:
            document["secrets"] = await _sealed(secret, passphrase)
        if local_list:
            if len(self._tags) > _MOST_TAGS:
                raise BackupError("the local list is too long for a backup")
            tags = [[token, tag.status, tag.expiry, tag.parent] for token, tag in self._tags.entries()]
            document["local_list"] = {"version": self._tags.version, "tags": tags}
        return document

    async def restore(self, document, passphrase=None):
        """Takes over a document, all of it or nothing; returns what that needs: "", "reconnect" or "reboot".

        Everything is checked first. Raises BackupError for a document that is not one, a wrong passphrase, or a missing
        one; SettingError for a setting that this station does not take; OSError when the flash refuses.
        """
        texts = _settings_of(document)
        entries = _tags_of(document)
        if "secrets" in document:
            if passphrase is None:
                raise BackupError("the backup holds secrets: the passphrase is needed")
            texts.update(await _opened(document["secrets"], passphrase))
        for name in texts:
            if not self._settings.setting(name).who:
                raise BackupError("%s belongs to the station and cannot be restored" % name)
        return self._apply(texts, entries)

    def _apply(self, texts, entries):
        """Writes settings, then list; takes the settings back when the list cannot be written."""
        names = [name for name in texts if self._settings.is_set(name)]
        before = {name: self._settings.get(name) for name in texts}
        needs = self._settings.update(texts, "system")
        if entries is None:
            return needs
        try:
            self._tags.replace(*entries)
        except (OSError, ValueError) as exc:
            self._settings.forget([name for name in texts if name not in names])
            for name in names:
                self._settings.set(name, before[name], "system")
            if isinstance(exc, OSError):
                raise
            raise BackupError("local list: %s" % exc)
        return needs


def _settings_of(document):
    if not isinstance(document, dict) or document.get("backup") != _FORMAT:
        raise BackupError("not a backup of this kind of station")
    texts = document.get("settings", {})
    _check_texts(texts)
    return dict(texts)


def _check_texts(texts):
    if not isinstance(texts, dict):
        raise BackupError("the settings are not a list of names and values")
    for name, text in texts.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise InvalidValue(str(name))


def _tags_of(document):
    """Returns (version, entries) of the local list in a document, None when there is none."""
    if "local_list" not in document:
        return None
    try:
        version, tags = document["local_list"]["version"], document["local_list"]["tags"]
        entries = []
        for token, status, expiry, parent in tags:
            entries.append((token, TagEntry(status, expiry, parent)))
        if len(entries) > _MOST_TAGS or not isinstance(version, int) or version < 0:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise BackupError("the local list makes no sense")
    return version, entries


# -- secrets


async def _keys(passphrase, salt, iterations):
    """Returns the keys for encryption and authentication."""
    steps = deriving(passphrase.encode(), salt, iterations, 2 * _KEY)
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value[:_KEY], end.value[_KEY:]
        count += 1
        if count % _ITERATIONS_AT_ONCE == 0:
            await asyncio.sleep(0)


async def _sealed(secrets, passphrase):
    if len(passphrase) < _SHORTEST_PASSPHRASE:
        raise BackupError("the passphrase needs at least %d characters" % _SHORTEST_PASSPHRASE)
    salt, iv = os.urandom(_BLOCK), os.urandom(_BLOCK)
    encryption, authentication = await _keys(passphrase, salt, _ITERATIONS)
    data = json.dumps(secrets).encode()
    fill = _BLOCK - len(data) % _BLOCK
    data = cryptolib.aes(encryption, _CBC, iv).encrypt(data + bytes([fill]) * fill)
    return {
        "iterations": _ITERATIONS,
        "salt": _hex(salt),
        "iv": _hex(iv),
        "data": _hex(data),
        "mac": _hex(hmac_sha256(authentication, salt + iv + data)),
    }


async def _opened(sealed, passphrase):
    try:
        iterations = sealed["iterations"]
        salt, iv, data, mac = [binascii.unhexlify(sealed[key]) for key in ("salt", "iv", "data", "mac")]
        if not 1 <= iterations <= _MOST_ITERATIONS or len(iv) != _BLOCK or not data or len(data) % _BLOCK:
            raise ValueError
        if len(data) > _MOST_SECRET_BYTES:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise BackupError("the secrets make no sense")
    encryption, authentication = await _keys(passphrase, salt, iterations)
    if not equal(mac, hmac_sha256(authentication, salt + iv + data)):
        raise BackupError("wrong passphrase, or the backup was changed")
    text = cryptolib.aes(encryption, _CBC, iv).decrypt(data)
    texts = json.loads(text[: -text[-1]].decode())
    _check_texts(texts)
    return texts


def _hex(data):
    return binascii.hexlify(data).decode()
