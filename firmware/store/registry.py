"""All settings: one line each in settings.txt, of which OCPP keys, the portal's forms and backups are views."""

from firmware.store.declaration import setting

_NO_SETTING = b"#\n"  # begins a comment, or is an empty line
_TEXT = " : "  # stands before what a setting is, in words


class Registry:
    """The declarations of a file like settings.txt: some 60 bytes of RAM a setting, decoded when it is wanted.

    What a setting is in words stays in the file.
    """

    def __init__(self, path):
        self._path = path
        lines = [b""]
        with open(path, "rb") as file:
            for line in file:
                if line[0] not in _NO_SETTING:
                    lines.append(line[: line.find(_TEXT.encode()) + 1])  # with the blank, so that every word has one
        lines.append(b"")
        self._lines = b"\n".join(lines)

    def __iter__(self):
        """Yields every declaration.Setting."""
        for name in self.names():
            yield self.find(name)

    def names(self):
        """Yields the names of all settings in the order of their declaration."""
        at = 1
        while at < len(self._lines):
            yield self._lines[at : self._lines.find(b" ", at)].decode()
            at = self._lines.find(b"\n", at) + 1

    def find(self, name):
        """Returns the declaration.Setting of exactly this name, or None."""
        if " " in name:
            return None
        at = self._lines.find(b"\n" + name.encode() + b" ")
        return None if at < 0 else setting(self._line(at + 1))

    def spelled(self, name):
        """Returns the name of the setting that is spelled so, in any case or known misspelling; None: there is none."""
        if " " in name:
            return None
        lines, wanted = self._lines.lower(), name.lower().encode()
        at = lines.find(b"\n" + wanted + b" ")
        if at < 0:
            at = lines.find(b" also=" + wanted + b" ")
        return None if at < 0 else self._line(lines.rfind(b"\n", 0, at + 1) + 1).partition(" ")[0]

    def texts(self):
        """Yields (name, what it is in words, tuple of known misspellings) of each setting, from the file."""
        with open(self._path) as file:
            for line in file:
                if line[0] not in _NO_SETTING.decode():
                    words, _, text = line.partition(_TEXT)
                    words = words.split()
                    yield words[0], text.strip(), tuple(word[5:] for word in words if word.startswith("also="))

    def _line(self, at):
        return self._lines[at : self._lines.find(b"\n", at)].decode()


SETTINGS = Registry(__file__.rpartition("/")[0] + "/settings.txt")
