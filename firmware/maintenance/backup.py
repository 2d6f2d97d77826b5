"""Backup and restore of settings, secrets and local list as one JSON document, written and read piece by piece.

    {"backup": 1, "firmware": "...", "settings": {name: text},
     "secrets": {"iterations": n, "salt": hex, "iv": hex, "data": hex, "mac": hex},      only with a passphrase
     "local_list": {"tags": [[key, status, expiry, group], ...], "version": n}}       only if wanted

Secrets are encrypted with AES-256-CBC and authenticated over salt, iv and data with HMAC-SHA256 (encrypt, then MAC);
both keys come from the passphrase by PBKDF2-HMAC-SHA256.
"""

import asyncio
import binascii
import json
import os

import cryptolib
from jsonstream import JsonError, Reader
from micropython import const
from pbkdf2 import deriving, equal, hmac_sha256

from firmware.store.room import ENOSPC, free_bytes
from firmware.store.settings import InvalidValue
from firmware.store.tags import TagList
from firmware.store.tokens import TokenInfo

_FORMAT = const(1)
_CBC = const(2)
_BLOCK = const(16)
_KEY = const(32)

# About 1.5 s on an ESP32 (estimate) for two blocks of PBKDF2; an attacker needs it for each guess.
_ITERATIONS = const(2_500)
_MOST_ITERATIONS = const(10_000)  # limit for documents from elsewhere
_ITERATIONS_AT_ONCE = const(8)  # before other tasks run: less than 5 ms on an ESP32
_SHORTEST_PASSPHRASE = const(8)
_MOST_SECRET_BYTES = const(4_096)

_MOST_VALUE_BYTES = const(16_384)  # of any value in a document except the list
_MOST_ENTRY_BYTES = const(256)
_MARGIN = const(65_536)  # bytes of flash left for the journal while a list is written
_LARGEST_VERSION = 0x7FFFFFFF


class BackupError(ValueError):
    """The document cannot be made or restored; the text is the reason, for a person."""


class Backup:
    """Makes and restores backups of `settings` (store.Settings) and `tags` (store.TagList)."""

    def __init__(self, settings, tags, version):
        self._settings = settings
        self._tags = tags
        self._version = version
        self._restoring = False

    async def export(self, passphrase=None, local_list=False):
        """Returns an iterator over the pieces of the document, short strs. Raises BackupError.

        Without a passphrase it contains no secrets. Read-only settings, which belong to the station, are left out.
        Iterating raises OSError, and ValueError when the list is damaged or changed meanwhile.
        """
        sealed = None
        if passphrase is not None:
            secrets = {name: self._settings.get(name) for name in self._names(True)}
            sealed = await _sealed(secrets, passphrase)
        return self._pieces(sealed, local_list)

    def _names(self, secret):
        """Yields the names of the stored settings that can be changed: secrets, or the others."""
        for name in self._settings.names():
            row = self._settings.setting(name)
            if row.who and (row.kind == "secret") == secret and self._settings.is_set(name):
                yield name

    def _pieces(self, sealed, local_list):
        yield '{"backup":%d,\n"firmware":%s,\n"settings":{' % (_FORMAT, json.dumps(self._version))
        comma = ""
        for name in self._names(False):
            yield "%s\n%s:%s" % (comma, json.dumps(name), json.dumps(self._settings.text(name)))
            comma = ","
        yield "}"
        if sealed:
            yield ',\n"secrets":' + json.dumps(sealed)
        if local_list:
            yield ',\n"local_list":{"tags":['
            version = self._tags.version
            comma = ""
            for key, tag in self._tags.entries():
                yield comma + "\n" + json.dumps([key, tag.status, tag.expiry, tag.parent])
                comma = ","
            if self._tags.damaged:
                raise BackupError("the local list is damaged")
            yield '],"version":%d}' % version
        yield "}\n"

    async def restore(self, path, passphrase=None):
        """Restores the document in the file `path`; returns what that needs: "", "reconnect" or "reboot".

        The document is checked first and restored completely or not at all, also at a power loss. Raises BackupError
        for an invalid document and a wrong or missing passphrase, SettingError for a setting that this station does not
        accept, OSError when it cannot be written.
        """
        if self._restoring:
            raise BackupError("another backup is being restored")
        self._restoring = True
        try:
            return await self._restore(path, passphrase)
        except JsonError as exc:
            raise BackupError("the document is damaged: %s" % exc)
        finally:
            self._restoring = False
            self._tags.settle(self._settings.get("RestoredList"))

    async def _restore(self, path, passphrase):
        document = await _read(path)
        texts = document["settings"]
        if "secrets" in document:
            if passphrase is None:
                raise BackupError("the backup contains secrets: the passphrase is needed")
            texts.update(await _opened(document["secrets"], passphrase))
        for name in texts:
            if not self._settings.setting(name).who:
                raise BackupError("%s belongs to the station and cannot be restored" % name)
        if "local_list" in document:
            texts["RestoredList"] = _hex(os.urandom(4))
            await self._stage(path, texts["RestoredList"], *document["local_list"])
            if self._tags.busy:
                raise BackupError("the local list is being changed by the back-end")
        return self._settings.update(texts, "system")

    async def _stage(self, path, name, version, count):
        """Writes the list of the document to a file of its own."""
        staged = TagList(self._tags.staging_path(name), self._tags.most)
        try:
            try:
                await _write(staged, path, version, count, True)  # ordered, as a station saves it
            except ValueError:
                await _write(staged, path, version, count, False)
        except ValueError as exc:
            raise BackupError("local list: %s" % exc)
        finally:
            staged.close()


async def _write(staged, path, version, count, ordered):
    if free_bytes(staged.path) < staged.room_for(count, ordered) + _MARGIN:
        raise OSError(ENOSPC)
    entries = _entries(path)
    try:
        for _ in staged.replacing(version, entries, ordered):
            await asyncio.sleep(0)
    finally:
        entries.close()


# -- reading a document


async def _read(path):
    """Reads the whole document; returns it with (version, number of entries) for the list. Raises ValueError."""
    document = {}
    with open(path, "rb") as file:
        reader = Reader(file, max_token=_MOST_VALUE_BYTES)
        if reader.next() != "{":
            raise BackupError("not a backup of this kind of station")
        while reader.next() == "key":
            key = reader.value
            if key in document:
                raise BackupError("%s occurs twice" % key)
            if key == "local_list":
                document[key] = await _read_list(reader)
            else:
                document[key] = reader.read(reader.next(), _MOST_VALUE_BYTES)
        reader.finish()
    if document.get("backup") != _FORMAT:
        raise BackupError("not a backup of this kind of station")
    _check_texts(document.setdefault("settings", {}))
    return document


async def _read_list(reader):
    """Reads the list; returns (version, number of entries)."""
    version = count = None
    if reader.next() == "{":
        while reader.next() == "key":
            key = reader.value
            token = reader.next()
            if key == "tags" and token == "[" and count is None:
                count = await _count(reader)
            elif key == "version" and token == "value":
                version = reader.value
            else:
                raise BackupError("the local list is not valid")
    if count is None or not isinstance(version, int) or not 0 <= version <= _LARGEST_VERSION:
        raise BackupError("the local list is not valid")
    return version, count


async def _count(reader):
    """Returns the number of items of the array that has begun, reading past its end."""
    count = 0
    while True:
        token = reader.next()
        if token == "]":
            return count
        reader.read(token, _MOST_ENTRY_BYTES)
        count += 1
        await asyncio.sleep(0)


def _entries(path):
    """Yields (key, TokenInfo) of the document in the file `path`. Raises ValueError."""
    with open(path, "rb") as file:
        for item in Reader(file, max_token=_MOST_VALUE_BYTES).items("local_list", "tags"):
            try:
                key, status, expiry, group = item
                key = binascii.unhexlify(key)
                good = isinstance(group or "", str) and isinstance(expiry or 0, int)
            except (TypeError, ValueError):
                good = False
            if not good:
                raise ValueError("an entry is not [key, status, expiry, group]")
            yield key, TokenInfo(status, expiry, group)


def _check_texts(texts):
    if not isinstance(texts, dict):
        raise BackupError("the settings are not a list of names and values")
    for name, text in texts.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise InvalidValue(str(name))


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
        raise BackupError("the secrets are not valid")
    encryption, authentication = await _keys(passphrase, salt, iterations)
    if not equal(mac, hmac_sha256(authentication, salt + iv + data)):
        raise BackupError("wrong passphrase, or the backup was changed")
    text = cryptolib.aes(encryption, _CBC, iv).decrypt(data)
    texts = json.loads(text[: -text[-1]].decode())
    _check_texts(texts)
    return texts


def _hex(data):
    return binascii.hexlify(data).decode()
