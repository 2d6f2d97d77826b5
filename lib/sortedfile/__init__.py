# Read-mostly file of fixed-size records, found by key. MIT license.
"""Sorted file of fixed-size records: look-up by key with few flash reads and little RAM, atomic changes.

    cards = SortedFile("/data/cards", key_bytes=8, record_bytes=20, is_removal=lambda record: record[8] == 255)
    cards.replace(records, b"version 1")
    cards.get(b"12345678")

Modules: `file` (the class), `pages` (format of a file), `changing` (replace and update), `writing`, and `sorting`,
which sorts more records than fit into RAM. There are two files: PATH, and PATH.changes with the changes since PATH was
written, so that a small update writes a small file. PATH is written again when there are too many changes. Both are
replaced by renaming, which is atomic on flash file systems and POSIX. PATH.changes repeats a random name from the
footer of PATH, so that changes to an earlier PATH are recognised.
"""

# Loaded when first used, which saves 11 KB of heap without such a file. Name -> module.
_FEATURES = {"SortedFile": "file"}


def __getattr__(name):
    if name not in _FEATURES:
        raise AttributeError(name)
    module = __import__(__name__ + "." + _FEATURES[name], None, None, (name,))
    globals()[name] = feature = getattr(module, name)
    return feature
