"""Backup and restore: what is in the document, what a wrong one does (nothing), and the key derivation's vectors."""

import asyncio
import json
import os

from folder import fresh_folder
from harness import raises
from pbkdf2 import derive, hmac_sha256

from firmware.maintenance.backup import Backup, BackupError
from firmware.store.registry import SETTINGS
from firmware.store.settings import SettingError, Settings
from firmware.store.tags import TagList
from firmware.store.tokens import TokenInfo, group_of

PASSPHRASE = "correct horse"


class Station:
    def __init__(self, folder=None, **settings):
        self.folder = folder = folder or fresh_folder()
        self.settings = Settings(folder + "/settings", SETTINGS)
        for name, text in settings.items():
            self.settings.set_text(name, text, "system")
        self.tags = TagList(folder + "/tags")
        self.tags.settle(self.settings.get("RestoredList"))
        self.backup = Backup(self.settings, self.tags, "1.0")

    async def save(self, passphrase=None, local_list=False):
        return "".join(await self.backup.export(passphrase, local_list))

    async def restore(self, text, passphrase=None):
        path = self.folder + "/document"
        with open(path, "w") as file:
            file.write(text)
        return await self.backup.restore(path, passphrase)


KEY = group_of("C")  # of an entry of the list


def set_up():
    station = Station(HeartbeatInterval="77", WifiSsid="home", WifiPassword="top secret", FirmwareVersion="9")
    station.tags.replace(
        5, [("A", TokenInfo("accepted", None, None)), ("B", TokenInfo("blocked", 2_000_000_000, group_of("G")))]
    )
    return station


async def test_without_a_passphrase_nothing_secret_is_in_it():
    text = await set_up().save()
    document = json.loads(text)
    assert document["settings"]["HeartbeatInterval"] == "77" and "WifiPassword" not in document["settings"]
    assert "secrets" not in document and "local_list" not in document
    assert "FirmwareVersion" not in document["settings"]  # what the station is, nobody restores
    other = Station()
    assert await other.restore(text) == "reboot"
    assert other.settings.get("HeartbeatInterval") == 77 and other.settings.text("WifiSsid") == "home"


async def test_everything_comes_back_with_the_passphrase():
    text = await set_up().save(PASSPHRASE, local_list=True)
    assert "top secret" not in text
    other = Station()
    await other.restore(text, PASSPHRASE)
    assert other.settings.get("WifiPassword") == "top secret"
    tag = other.tags.get("b")
    assert other.tags.version == 5 and (tag.status, tag.expiry, tag.parent) == ("blocked", 2_000_000_000, group_of("G"))


async def test_what_is_wrong_changes_nothing():
    good = await set_up().save(PASSPHRASE, local_list=True)
    other = Station(HeartbeatInterval="10")

    async def refused(error, change, passphrase=PASSPHRASE):
        document = json.loads(good)
        change(document)
        with raises(error):
            await other.restore(json.dumps(document), passphrase)
        nothing_has_changed()

    def nothing_has_changed():
        assert other.settings.get("HeartbeatInterval") == 10
        assert not other.settings.is_set("WifiPassword") and not other.settings.is_set("WifiSsid")
        assert len(other.tags) == 0
        assert not [name for name in os.listdir(other.folder) if name.startswith("restored")]

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
    await refused(BackupError, lambda d: d["local_list"]["tags"].append([KEY]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append([KEY + "00", "accepted", None, None]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append([group_of("A"), "accepted", None, None]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append([KEY, "Sleepy", None, None]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append(["no hex", "accepted", None, None]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append([KEY, "accepted", None, "no group"]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append([1, "accepted", None, None]))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append([KEY, "accepted", "soon", None]))
    await refused(BackupError, lambda d: d["local_list"].update(version=-1))
    await refused(BackupError, lambda d: d["local_list"]["tags"].append([KEY, "x" * 300, None, None]))
    await refused(BackupError, lambda d: d.update(local_list=[]))
    await refused(BackupError, lambda d: d["settings"].update(Long="x" * 20_000))
    for text in (good[:-5], good + "{", good.replace("{", '{"settings":{},', 1), "", "[]"):
        with raises(BackupError):
            await other.restore(text, PASSPHRASE)
        nothing_has_changed()


async def test_a_list_in_any_order_is_restored():
    other = Station()
    entries = [[group_of("TAG%d" % i), "accepted", None, None] for i in range(50)]
    text = json.dumps({"backup": 1, "local_list": {"version": 3, "tags": entries}})
    assert await other.restore(text) == ""
    assert other.tags.version == 3 and len(other.tags) == 50 and other.tags.get("tag49").status == "accepted"


async def test_one_restore_at_a_time_and_none_into_a_list_that_is_being_changed():
    text = await set_up().save(local_list=True)
    other = Station()
    steps = other.tags.replacing(1, [("A", TokenInfo("accepted"))])
    next(steps)
    with raises(BackupError):
        await other.restore(text)
    for _ in steps:
        pass
    first = asyncio.create_task(other.restore(text))
    await asyncio.sleep(0)
    with raises(BackupError):
        await other.backup.restore(other.folder + "/document")
    await first
    assert other.tags.version == 5 and other.settings.get("HeartbeatInterval") == 77


async def test_a_list_that_changes_while_it_is_saved_makes_no_document():
    station = set_up()
    station.tags.replace(5, [("A%d" % i, TokenInfo("accepted")) for i in range(50)])
    pieces = await station.backup.export(local_list=True)
    while "accepted" not in next(pieces):
        pass
    station.tags.replace(6, [("C", TokenInfo("accepted"))])
    with raises(ValueError):
        list(pieces)


async def test_a_passphrase_that_is_easily_guessed_is_refused():
    with raises(BackupError):
        await set_up().save("1234567")


async def test_two_backups_share_neither_salt_nor_text():
    station = set_up()
    first, second = json.loads(await station.save(PASSPHRASE)), json.loads(await station.save(PASSPHRASE))
    for key in ("salt", "iv", "data", "mac"):
        assert first["secrets"][key] != second["secrets"][key]


def test_key_derivation_vectors():
    # RFC 4231 case 2, case 6 (key longer than a block); RFC 7914 §11
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex().startswith("5bdcc146bf60754e6a042426089575c7")
    long_key = hmac_sha256(b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First")
    assert long_key.hex().startswith("60e431591ee0b67f0d8a26aacbf5b77f")
    assert derive(b"passwd", b"salt", 1, 64).hex().startswith("55ac046e56e3089fec1691c22544b605")
    assert len(derive(os.urandom(5), b"", 3, 33)) == 33
