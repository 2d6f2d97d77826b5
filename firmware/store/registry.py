"""Registry of all settings: finds a setting's declaration in settings.txt by its name or a misspelling."""

from array import array

from micropython import const

from firmware.kernel.resources import open_data
from firmware.store.declaration import setting

_NO_SETTING = b"#\n"  # first byte of a comment or an empty line
_TEXT = " : "  # precedes the text for people
_PIECE = const(256)  # bytes read at a time, also the maximum length of a line
_LARGE_PIECE = const(2048)
_HASH_BYTES = const(2)


class Registry:
    """The declarations in a data file such as settings.txt (up to 64 KB), read from the file when needed.

    The RAM holds a hash and the offset of the line for each name and misspelling: 4 bytes each.
    """

    def __init__(self, name):
        self._name = name
        self._hashes = bytearray()
        self._places = array("H")
        for place, line in self._lines(0, _LARGE_PIECE):
            for name in _spellings(line):
                self._hashes.extend(_hash(name))
                self._places.append(place)

    def __iter__(self):
        """Yields every declaration.Setting in the order of declaration."""
        for _, line in self._lines(0, _PIECE):
            yield setting(line.partition(_TEXT)[0])

    def find(self, name):
        """Returns the declaration.Setting of exactly this name, or None."""
        for line in self._lines_of(name):
            if line.partition(" ")[0] == name:
                return setting(line.partition(_TEXT)[0])
        return None

    def spelled(self, name):
        """Returns the setting's name for a name in any case or a known misspelling; None if unknown."""
        for line in self._lines_of(name):
            spellings = _spellings(line)
            if name.lower() in [spelling.lower() for spelling in spellings]:
                return spellings[0]
        return None

    def texts(self):
        """Yields (name, text for people, tuple of known misspellings) of each setting."""
        for _, line in self._lines(0, _LARGE_PIECE):
            spellings = _spellings(line)
            yield spellings[0], line.partition(_TEXT)[2].strip(), tuple(spellings[1:])

    def _lines_of(self, name):
        """Yields the lines whose name may be this one, in any case; different names rarely have the same hash."""
        wanted = _hash(name)
        at = self._hashes.find(wanted)
        while at >= 0:
            if at % _HASH_BYTES == 0:
                yield next(self._lines(self._places[at // _HASH_BYTES], _PIECE))[1]
            at = self._hashes.find(wanted, at + 1)

    def _lines(self, place, size):
        """Yields (offset in the file, line) of each setting from an offset on; the file is closed between reads."""
        while True:
            with open_data(self._name) as file:
                file.seek(place)
                piece = file.read(size)
            end = piece.rfind(b"\n") + 1
            if not end:
                return
            at = 0
            while at < end:
                following = piece.find(b"\n", at) + 1
                if piece[at] not in _NO_SETTING:
                    yield place + at, piece[at:following].decode()
                at = following
            place += end


def _hash(name):
    return (hash(name.lower()) & 0xFFFF).to_bytes(_HASH_BYTES, "little")


def _spellings(line):
    """Returns the name declared by a line and its known misspellings."""
    words = line.partition(_TEXT)[0].split()
    return words[:1] + [word[5:] for word in words if word.startswith("also=")]


SETTINGS = Registry("firmware/store/settings.txt")
