"""Data files that belong to code: text files beside the modules, or the same bytes frozen into the interpreter.

The name is the path in the image, such as `firmware/store/settings.txt`. Only .py files can be frozen, so
`python -m tools.image --frozen` makes a module of it with the bytes as DATA: firmware.store.settings_txt. They stay in
flash and take no heap.
"""

import io

_ROOT = __file__.rpartition("firmware/kernel/")[0]
_COMMENT = "#"


def open_data(name):
    """Opens a data file for reading bytes. Raises OSError if it does not exist. An absolute path is used as it is."""
    path = name if name.startswith("/") else _ROOT + name
    try:
        return open(path, "rb")
    except OSError as exc:
        folder, slash, file = name.rpartition("/")
        module = (folder + slash).replace("/", ".") + file.replace(".", "_")
        try:
            return io.BytesIO(__import__(module, None, None, ("DATA",)).DATA)
        except ImportError:
            raise exc


def lines(name):
    """Yields the lines of a data file without line ends, comments (#) and empty lines. Raises OSError."""
    with open_data(name) as file:
        for line in file:
            line = line.decode().rstrip("\r\n")
            if line and line[0] != _COMMENT:
                yield line
