"""Values of the settings: typed for the firmware, text for OCPP and the portal, durable at any power loss.

Three layers, the first with a value applies: stored value, factory override, declared default. Only stored values are
on flash, as text. Stored names and values that this firmware does not know or allow are ignored, but kept for another
version of the firmware. Values from provisioning apply even if the declaration does not allow them.
"""

import json

from micropython import const

from firmware.kernel.signal import Signal
from firmware.store.declaration import redeclared
from firmware.store.slots import Slots
from firmware.store.values import CHECKS, InvalidValue, SettingError, check_range, check_text, parse, to_text
from firmware.store.wear import Wear

__all__ = ("InvalidValue", "ReadOnlySetting", "SettingError", "Settings", "UnknownSetting", "to_text")

_VERSION = 1
_MOST_TYPED = const(32)  # typed values in RAM: a charging station reads 20 settings repeatedly, a starting one 50 once
_LONGEST = 500  # characters, OCPP 1.6 §6.7 (ChangeConfiguration.req)
_NEEDS = ("", "reconnect", "reboot")


class UnknownSetting(SettingError):
    """No setting has this name, or its part is not fitted."""


class ReadOnlySetting(SettingError):
    """This setting may not be changed by the caller (`who`)."""


class Settings:
    """All settings of the station.

    `path` is the file name without suffix; `registry` a registry.Registry with the declarations; `factory` {name: text}
    overrides declared defaults at every start; `provision` {name: text} is stored unchecked, read-only settings
    included, when no stored settings can be read. `changed(name)` is emitted after a new value is durable.
    `recovered` is True when a stored copy was damaged and the last good one (or none) was used.
    """

    def __init__(self, path, registry, factory=None, provision=None, log=None):
        self._registry = registry
        self._redeclared = {}  # name -> {field: value} that override the registry
        self._newest = None  # the Setting found last: most are read several times in a row
        self._parts = None  # names of the fitted parts; None: all
        self._factory = factory or {}
        self._log = log
        self.wear = Wear()
        self._slots = Slots(path, log, self.wear)
        self._verbatim = ()  # names provisioned with a value that the declaration does not allow
        self._ignored = set()  # names whose stored value is not allowed, already logged
        self._typed = {}  # name -> value in force, of settings read lately
        self._validators = []  # (names, function), see add_validator()
        self._untold = []  # names of changed settings whose signal is still to be emitted
        self.changed = Signal(log and log.observer_failed)
        self._stored = self._load()  # name -> text
        if self._stored is None:
            self._stored = {}
            if provision:
                self._stored = {self._canonical(name): str(value) for name, value in provision.items()}
                self._verbatim = [row.name for row in self._registry if not self._is_allowed(row)]
                self._save(self._stored, self._verbatim)

    @property
    def recovered(self):
        return self._slots.damaged

    # -- reading

    def names(self):
        """Yields the names of all settings in the order of declaration."""
        for row in self._registry:
            if self._is_fitted(row):
                self._newest = self._applied(row)  # the caller is likely to read this setting next
                yield row.name

    def setting(self, name):
        """Returns the declaration.Setting as it applies to this station; raises UnknownSetting."""
        if self._newest is None or self._newest.name != name:
            self._newest = self._found(name)
        return self._newest

    def get(self, name, default=None):
        """Returns the value in force: int, bool, str, or list of str.

        Without a setting of this name, such as one about a part that is not fitted, `default`; None: UnknownSetting.
        """
        value = self._typed.get(name)
        if value is None:
            try:
                row = self._found(name)
            except UnknownSetting:
                if default is None:
                    raise
                return default
            value = self._effective(row)
            if len(self._typed) == _MOST_TYPED:
                self._typed.clear()
            self._typed[row.name] = value
        return list(value) if isinstance(value, tuple) else value

    def text(self, name):
        """Returns the value as text, as it was written; "" for secrets. Raises UnknownSetting."""
        row = self.setting(name)
        if row.kind == "secret":
            return ""
        text = self._valid(row)
        return to_text(row.default) if text is None else text

    def is_set(self, name):
        """Returns True when a value is stored (a form shows this for secrets)."""
        return self.setting(name).name in self._stored

    # -- changing

    def set(self, name, value, who="backend"):
        """Stores a typed value (a list or tuple for csl); otherwise as set_text()."""
        return self.set_text(name, to_text(value), who)

    def set_text(self, name, text, who="backend"):
        """Stores a value given as text; returns what the change needs: "", "reconnect" or "reboot".

        `who` is "backend", "user", "installer" or "system" (the firmware itself, which may change everything).
        Raises UnknownSetting, ReadOnlySetting, InvalidValue, or OSError when it cannot be written; the old value stays.
        """
        return self.update({name: text}, who)

    def check(self, name, text):
        """Raises UnknownSetting, or InvalidValue for a text that set_text() would refuse. Changes nothing."""
        self._checked(self.setting(name), text)

    def update(self, texts, who="backend"):
        """Stores several {name: text}, all or none, with one write; returns the strongest need, see set_text()."""
        new = {}
        needs = ""
        for name, text in texts.items():
            row = self.setting(name)
            if who != "system" and who not in row.who.split():
                raise ReadOnlySetting(row.name)
            text = self._checked(row, text)
            if text != self._raw(row) or (row.kind == "secret" and row.name not in self._stored):
                new[row.name] = text
                needs = max(needs, row.needs, key=_NEEDS.index)
        if new:
            self._replace(new)
        while self._untold:
            self.changed.emit(self._untold.pop(0))
        return needs

    def clear(self, wish):
        """Deletes all stored values from both copies on flash, as they hold secrets; emits nothing. Raises OSError.

        The setting `wish`, which asks for it, goes last: after a power cut it is there as long as anything else is.
        """
        for stored in ({wish: self._stored[wish]}, {}):
            self._save(stored, ())
        self._stored, self._verbatim = {}, ()
        self._typed.clear()
        self._ignored.clear()

    def _replace(self, new):
        """Writes to flash before anything else: after an exception nothing has changed and the call may be repeated."""
        stored = self._stored.copy()
        stored.update(new)
        verbatim = [name for name in self._verbatim if name not in new]
        for name in new:
            self._typed.pop(name, None)
        self._save(stored, verbatim)
        self._untold.extend(new)
        self._stored, self._verbatim = stored, verbatim

    # -- adapting the declarations to this station

    def add_validator(self, names, function):
        """Registers a validator for the settings `names` (separated by blanks) that runs after the built-in checks.

        `function(name, typed value)` raises ValueError for a value that this station cannot have.
        """
        self._validators.append((names, function))

    def declare(self, name, **changes):
        """Overrides fields of a declaration, for a fitted part or a product. Raises UnknownSetting."""
        name = self._canonical(name)
        row = self._registry.find(name)
        if row is None:
            raise UnknownSetting(name)
        news = {field: value for field, value in changes.items() if getattr(row, field) != value}
        if news:
            self._redeclared.setdefault(name, {}).update(news)
        self._newest = None
        self._typed.pop(name, None)

    def fit(self, parts):
        """Removes the settings whose part is not in `parts` ("lock", "phase_switch", ...).

        OCPP 1.6 §9: keys whose feature a station does not have must be absent.
        """
        self._parts = tuple(parts)
        self._typed.clear()
        self._newest = None

    # -- inside

    def _found(self, name):
        """Returns the declaration.Setting as it applies to this station; raises UnknownSetting."""
        row = self._registry.find(name) or self._registry.find(self._canonical(name))
        if row is None or not self._is_fitted(row):
            raise UnknownSetting(name)
        return self._applied(row)

    def _applied(self, row):
        """Returns a declaration with the overrides of declare()."""
        changes = self._redeclared.get(row.name)
        return redeclared(row, changes) if changes else row

    def _is_fitted(self, row):
        return not row.part or self._parts is None or row.part in self._parts

    def _canonical(self, name):
        return self._registry.spelled(name) or name

    def _raw(self, row):
        text = self._stored.get(row.name)
        if text is None:
            text = self._factory.get(row.name)
        return to_text(row.default) if text is None else text

    def _valid(self, row):
        """Returns the stored text if it is allowed, else the factory's; None: the default applies."""
        text = self._stored.get(row.name)
        if text is not None:
            if row.name in self._verbatim or self._is_allowed(row):
                return text
            self._tell_ignored(row.name)
        return self._factory.get(row.name)

    def _tell_ignored(self, name):
        if self._log and name not in self._ignored:
            self._ignored.add(name)
            self._log.warning("settings", "%s: stored value is not allowed, ignored", name)

    def _is_allowed(self, row):
        """Returns True when the declaration allows the stored value, or none is stored."""
        try:
            self._declared_value(row, self._stored.get(row.name, to_text(row.default)))
            return True
        except InvalidValue:
            return False

    def _effective(self, row):
        text = self._valid(row)
        if text is None:
            return row.default
        try:
            value = parse(row, text)
        except InvalidValue:
            self._tell_ignored(row.name)
            return row.default
        if row.policy == "clamp" and row.kind == "int" and value not in (row.choices or ()):
            value = min(max(value, row.low), row.high)
        return tuple(value) if row.kind == "csl" else value

    def _checked(self, row, text):
        """Returns the text to store for a new value; raises InvalidValue."""
        value = self._declared_value(row, text)
        try:
            if row.check:
                CHECKS[row.check](value)
            for names, function in self._validators:
                if row.name in names.split():
                    function(row.name, value)
        except ValueError as exc:
            raise InvalidValue("%s: %s" % (row.name, exc))
        return to_text(value)

    def _declared_value(self, row, text):
        """Returns the typed value if type, range, length and choices allow it; raises InvalidValue."""
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise InvalidValue("%s: not a text of at most %d characters" % (row.name, _LONGEST))
        value = parse(row, text)
        if row.kind == "int":
            check_range(row, value)
        elif row.kind == "csl":
            value = self._checked_items(row, value)
        else:
            check_text(row, value)
        return value

    def _checked_items(self, row, items):
        most = row.high
        if most is None and self._registry.spelled(row.name + "MaxLength"):
            most = self._effective(self._found(row.name + "MaxLength"))
        if most is not None and len(items) > most:
            raise InvalidValue("%s: more than %d items" % (row.name, most))
        if row.choices is None:
            return items
        words = {word.lower(): word for word in row.choices}
        try:
            return [words[item.lower()] for item in items]
        except KeyError:
            raise InvalidValue("%s: not one of %s" % (row.name, ",".join(row.choices)))

    def _load(self):
        text = self._slots.load()
        if text is None:
            return None
        # A name that an earlier version spelled differently is renamed; unknown names are kept.
        document = json.loads(text)
        self._verbatim = document.get("verbatim", ())
        return {self._canonical(name): value for name, value in document["values"].items()}

    def _save(self, stored, verbatim):
        document = {"version": _VERSION, "values": stored, "verbatim": verbatim}
        self._slots.save(json.dumps(document, separators=(",", ":")))
