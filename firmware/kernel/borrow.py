"""Modules that are needed for a moment: loaded for it, and their heap given back afterwards.

Only what nothing refers to any more is given back: an object keeps its class, and a function all of its module. So code
that works for a moment must not share a module with what stays.
"""

import sys


def unload(*names):
    """Forgets modules, and all that is in a package; an import loads them again. Unknown names are ignored."""
    for name in names:
        for loaded in list(sys.modules):
            if loaded == name or loaded.startswith(name + "."):
                del sys.modules[loaded]
        package, _, part = name.rpartition(".")
        parent = sys.modules.get(package)
        if hasattr(parent, part):
            delattr(parent, part)


def borrowed(module, name, *first):
    """Returns a function that calls `name` of `module` with `first` and its own arguments, and unloads the module."""

    def call(*arguments):
        try:
            return getattr(__import__(module, None, None, (name,)), name)(*first, *arguments)
        finally:
            unload(module)

    return call
