"""An empty directory for a test that stores files; works on both interpreters."""

import os

_ROOT = "/tmp/wallbox-tests"
_count = 0


def fresh_folder():
    """Returns the path of a new empty directory; those of earlier runs of the same process number are emptied."""
    global _count
    _count += 1
    base = "%s-%s" % (_ROOT, _process())
    for path in (base, "%s/%d" % (base, _count)):
        _make(path)
    _empty(path)
    return path


def _process():
    # MicroPython has no os.getpid(); Linux names the process in /proc.
    with open("/proc/self/stat") as f:
        return f.read().split()[0]


def _make(path):
    try:
        os.mkdir(path)
    except OSError:
        pass


def _empty(path):
    for name in os.listdir(path):
        child = path + "/" + name
        if os.stat(child)[0] & 0x4000:
            _empty(child)
            os.rmdir(child)
        else:
            os.remove(child)
