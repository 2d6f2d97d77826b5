"""The last step of a restore, at once or after a power cut: the local list of a backup takes the place of the old one.

A restore first writes its list to a file of a new name, then all settings, with this name among them, in one write:
from that moment on it has happened. A file of another name is what is left of one that has not.
"""

import os

_PREFIX = "restored."


def staging_path(tags, name):
    """Returns where the list of a restore waits for the TagList `tags`; `name` is what RestoredList will say."""
    return tags.path.rpartition("/")[0] + "/" + _PREFIX + name


def carry_on(settings, tags):
    """Takes over the list that the settings name, if it is still waiting, and removes any other that waits.

    To be called before anybody asks `tags` (store.TagList). Raises OSError; the next start then tries again.
    """
    folder = tags.path.rpartition("/")[0] + "/"
    wanted = _PREFIX + settings.get("RestoredList")
    for name in os.listdir(folder[:-1]):
        if name == wanted:
            tags.adopt(folder + name)
        elif name.startswith(_PREFIX):
            os.remove(folder + name)
