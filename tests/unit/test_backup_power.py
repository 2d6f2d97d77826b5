# interpreters: micropython
"""A restore at every power cut, and of the longest list there is, on LittleFS."""

import asyncio
import gc
import json

from flash import files, format_flash, mounted, sweep

from firmware.maintenance.backup import Backup
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from firmware.store.tags import TagList
from firmware.store.tokens import TokenInfo, group_of

OLD = ["OLD%04d" % i for i in range(6)]
NEW = ["NEW%04d" % i for i in range(30)]


def power_on(path):
    settings = Settings(path + "/settings", SETTINGS)
    tags = TagList(path + "/tags")
    tags.settle(settings.get("RestoredList"))
    return settings, tags


def write_document(path, tokens, **settings):
    entries = [[group_of(token), "accepted", None, None] for token in tokens]
    with open(path + "/document", "w") as file:
        json.dump({"backup": 1, "settings": settings, "local_list": {"version": 9, "tags": entries}}, file)


def test_settings_and_list_are_both_old_or_both_new_at_every_power_cut():
    """With changes beside the old list, which must not be laid over the new one."""

    def prepare(path):
        settings, tags = power_on(path)
        settings.update({"HeartbeatInterval": "100", "WifiSsid": "old"}, "system")
        tags.replace(1, [(token, TokenInfo("accepted")) for token in OLD])
        tags.update(2, [(OLD[0], None), ("CHANGED", TokenInfo("blocked"))])
        tags.close()
        write_document(path, NEW, HeartbeatInterval="77", WifiSsid="new")

    seen = set()

    def act(path, promise):
        settings, tags = power_on(path)
        asyncio.run(Backup(settings, tags, "1").restore(path + "/document"))
        promise(True)

    def check(path, promises):
        for _ in range(2):  # what was carried on stays
            settings, tags = power_on(path)
            version = tags.version
            seen.add(version)
            assert version == 9 or not promises
            assert (settings.get("HeartbeatInterval"), settings.text("WifiSsid"), len(tags)) == {
                2: (100, "old", len(OLD)),
                9: (77, "new", len(NEW)),
            }[version]
            tokens = sorted(token for token, _ in tags.entries())
            assert tokens == sorted(group_of(t) for t in (NEW if version == 9 else OLD[1:] + ["changed"]))
            assert not tags.damaged
            tags.close()
        assert not [name for name in files(path) if name.startswith("restored")]

    assert sweep(prepare, act, check, blocks=32) > 30
    assert seen == {2, 9}


class Heap:
    """How much the heap has grown at most beyond what it was at first, garbage not counted."""

    def __init__(self):
        gc.collect()
        self._before = gc.mem_alloc()
        self.most = 0

    def look(self):
        gc.collect()
        self.most = max(self.most, gc.mem_alloc() - self._before)


async def watched(work, heap):
    task = asyncio.create_task(work)
    while not task.done():
        heap.look()
        for _ in range(500):
            await asyncio.sleep(0)
    await task


def test_ten_thousand_tokens_are_saved_and_restored_in_little_ram():
    """Beside the list that is there, on 2 MiB of flash of which a fifth belongs to others."""
    with mounted(format_flash(512)) as path:
        with open(path + "/others", "wb") as file:
            for _ in range(52):
                file.write(bytes(8192))
        settings, tags = power_on(path)
        tags.replace(7, (("%014X" % i, TokenInfo("accepted")) for i in range(10_000)))
        backup = Backup(settings, tags, "1")
        heap = Heap()
        with open(path + "/document", "w") as file:
            for number, piece in enumerate(asyncio.run(backup.export(local_list=True))):
                file.write(piece)
                if number % 500 == 0:
                    heap.look()
        tags.update(8, [("%014X" % i, None) for i in range(0, 1000)])
        asyncio.run(watched(backup.restore(path + "/document"), heap))
        print("heap: %d bytes" % heap.most)
        assert heap.most < 24_000
        assert tags.version == 7 and len(tags) == 10_000
        for i in range(0, 10_000, 501):
            assert tags.get("%014X" % i).status == "accepted"
        tags.close()
