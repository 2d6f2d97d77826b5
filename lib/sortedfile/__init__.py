# Read-mostly file of fixed-size records, found by key. MIT license.
"""Sorted file of fixed-size records: look-up by key with few flash reads and little RAM, atomic changes.

    cards = SortedFile("/data/cards", key_bytes=8, record_bytes=20, is_removal=lambda record: record[8] == 255)
    cards.replace(records, b"version 1")
    cards.get(b"12345678")

`file` joins the parts; `pages` is the form of one file; `changing` replaces and updates the content with the help of
`writing` and of `sorting`, which orders more records than fit into RAM. There are two files: PATH has nearly all,
PATH.changes the changes since then, so that a small update writes a small file. Only when too many have come together
is PATH written anew. Both are replaced by renaming, which flash file systems and POSIX do atomically; PATH has a random
name in its footer that PATH.changes repeats, so that changes of an earlier PATH are known as such.
"""

# The code is loaded when it is first asked for: whoever has no such file does without 11 KB of heap. Name -> module.
_FEATURES = {"SortedFile": "file"}


def __getattr__(name):
    if name not in _FEATURES:
        raise AttributeError(name)
    module = __import__(__name__ + "." + _FEATURES[name], None, None, (name,))
    globals()[name] = feature = getattr(module, name)
    return feature
