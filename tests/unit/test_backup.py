"""Backup and restore: what is in the document, what a wrong one does (nothing), and the key derivation's vectors."""

import json
import os

from folder import fresh_folder
from harness import raises
from pbkdf2 import derive, hmac_sha256

from firmware.maintenance.backup import Backup, BackupError
from firmware.store.registry import SETTINGS
from firmware.store.settings import SettingError, Settings
from firmware.store.tags import TagEntry, TagList

PASSPHRASE = "correct horse"


class Station:
    def __init__(self, **settings):
        folder = fresh_folder()
        self.settings = Settings(folder + "/settings", SETTINGS)
        for name, text in settings.items():
            self.settings.set_text(name, text, "system")
        self.tags = TagList(folder + "/tags")
        self.backup = Backup(self.settings, self.tags, "1.0")


def set_up():
    station = Station(HeartbeatInterval="77", WifiSsid="home", WifiPassword="top secret", FirmwareVersion="9")
    station.tags.replace(5, [("A", TagEntry("Accepted", None, None)), ("B", TagEntry("Blocked", 2_000_000_000, "G"))])
    return station


async def test_without_a_passphrase_nothing_secret_is_in_it():
    document = json.loads(json.dumps(await set_up().backup.export()))
    assert document["settings"]["HeartbeatInterval"] == "77" and "WifiPassword" not in document["settings"]
    assert "secrets" not in document and "local_list" not in document
    assert "FirmwareVersion" not in document["settings"]  # what the station is, nobody restores
    other = Station()
    assert await other.backup.restore(document) == "reboot"
    assert other.settings.get("HeartbeatInterval") == 77 and other.settings.text("WifiSsid") == "home"


async def test_everything_comes_back_with_the_passphrase():
    text = json.dumps(await set_up().backup.export(PASSPHRASE, local_list=True))
    assert "top secret" not in text
    other = Station()
    await other.backup.restore(json.loads(text), PASSPHRASE)
    assert other.settings.get("WifiPassword") == "top secret"
    tag = other.tags.get("b")
    assert other.tags.version == 5 and (tag.status, tag.expiry, tag.parent) == ("Blocked", 2_000_000_000, "G")


async def test_what_is_wrong_changes_nothing():
    good = json.dumps(await set_up().backup.export(PASSPHRASE, local_list=True))
    other = Station(HeartbeatInterval="10")

    async def refused(error, change, passphrase=PASSPHRASE):
        document = json.loads(good)
        change(document)
        with raises(error):
            await other.backup.restore(document, passphrase)
        assert other.settings.get("HeartbeatInterval") == 10
        assert not other.settings.is_set("WifiPassword") and not other.settings.is_set("WifiSsid")
        assert len(other.tags) == 0

    await refused(BackupError, lambda d: None, "wrong passphrase")
    await refused(BackupError, lambda d: None, None)
    await refused(BackupError, lambda d: d.pop("backup"))
    await refused(BackupError, lambda d: d["secrets"].update(data="00" * 32))
    await refused(BackupError, lambda d: d["secrets"].update(data="0"))
    await refused(BackupError, lambda d: d["secrets"].update(iterations=10**9))
    await refused(BackupError, lambda d: d["secrets"].pop("mac"))
    await refused(BackupError, lambda d: d["settings"].update(FirmwareVersion="1"))
    await refused(SettingError, lambda d: d["settings"].update(NoSuchSetting="1"))
    await refused(SettingError, lambda d: d["settings"].update(HeartbeatInterval="soon"))
    await refused(SettingError, lambda d: d["settings"].update(HeartbeatInterval=5))
    await refused(BackupError, lambda d: d["local_list"].pop("tags"))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append(["C"]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append(["C" * 21, "Accepted", None, None]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append(["A", "Accepted", None, None]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append(["C", "Sleepy", None, None]))


async def test_a_passphrase_that_is_easily_guessed_is_refused():
    with raises(BackupError):
        await set_up().backup.export("1234567")


async def test_two_backups_share_neither_salt_nor_text():
    station = set_up()
    first, second = await station.backup.export(PASSPHRASE), await station.backup.export(PASSPHRASE)
    for key in ("salt", "iv", "data", "mac"):
        assert first["secrets"][key] != second["secrets"][key]


def test_key_derivation_vectors():
    # RFC 4231 case 2, case 6 (key longer than a block); RFC 7914 §11
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex().startswith("5bdcc146bf60754e6a042426089575c7")
    long_key = hmac_sha256(b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First")
    assert long_key.hex().startswith("60e431591ee0b67f0d8a26aacbf5b77f")
    assert derive(b"passwd", b"salt", 1, 64).hex().startswith("55ac046e56e3089fec1691c22544b605")
    assert len(derive(os.urandom(5), b"", 3, 33)) == 33
