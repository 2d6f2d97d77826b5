"""Data files that belong to code: text files beside the modules, or the same bytes frozen into the interpreter.

A name is the file's path in the image, such as `firmware/store/settings.txt`. Only .py can be frozen, so a frozen file
is a module with the bytes as DATA: firmware.store.settings_txt (`python -m tools.image --frozen` makes it). They stay
in the flash then, and take no heap.
"""

import io

_ROOT = __file__.rpartition("firmware/kernel/")[0]
_COMMENT = "#"


def open_data(name):
    """Opens a data file to be read as bytes. Raises OSError when there is none. An absolute path is taken as it is."""
    path = name if name.startswith("/") else _ROOT + name
    try:
        return open(path, "rb")
    except OSError as exc:
        folder, _, file = name.rpartition("/")
        module = folder.replace("/", ".") + "." + file.replace(".", "_")
        try:
            return io.BytesIO(__import__(module, None, None, ("DATA",)).DATA)
        except ImportError:
            raise exc


def lines(name):
    """Yields the lines of a data file without their ends; comments (#) and empty lines are left out. Raises OSError."""
    with open_data(name) as file:
        for line in file:
            line = line.decode().rstrip("\r\n")
            if line and line[0] != _COMMENT:
                yield line
