# Configuration file of the simulated charger. MIT license.
"""Configuration file of the simulated charger: reads, checks and converts it to settings. Unknown keys are ignored."""

import json

_NUMBER = (int, float)
_LONGEST = 65_536  # maximum characters of the file

# (section, key, type, lowest or allowed values, highest or longest, default)
_FIELDS = (
    ("ocpp", "version", str, ("1.6",), None, "1.6"),
    ("ocpp", "id", str, None, 48, None),
    ("ocpp", "url", str, None, 512, None),
    ("ocpp", "security_profile", int, 0, 3, None),
    ("ocpp", "auth_key", str, None, 64, None),
    ("ocpp", "ca_file", str, None, 255, None),
    ("ocpp", "client_cert", str, None, 255, None),
    ("ocpp", "client_key", str, None, 255, None),
    ("ocpp", "verify_hostname", bool, None, None, None),
    ("ocpp", "call_timeout_s", int, 1, 3600, None),
    ("identity", "vendor", str, None, 20, None),
    ("identity", "model", str, None, 20, None),
    ("identity", "serial", str, None, 25, None),
    ("identity", "firmware", str, None, 50, None),
    ("hw", "connectors", int, 1, 2, 1),
    ("hw", "cable", str, ("socket", "fixed"), None, "socket"),
    ("hw", "max_a", int, 6, 80, 32),
    ("hw", "phases", int, (1, 3), None, 3),
    ("hw", "psram", bool, None, None, True),
    ("portal", "port", int, 0, 65535, None),
    ("sim", "control", str, None, 64, None),
    ("sim", "time_rate", _NUMBER, 0.01, 1000, 1),
    ("sim", "flash_kib", int, 64, 16384, 2048),
    ("sim", "boot", str, ("checkout", "flash"), None, "checkout"),
    ("sim", "image", str, None, 255, None),
    ("sim", "keep_vehicle", bool, None, None, False),
    ("sim", "keep_clock", bool, None, None, False),
    ("sim", "adc_noise_mv", int, 0, 500, 10),
    ("sim", "adc_us", int, 10, 1000, 45),
    ("sim", "pwm_phase_us", int, 0, 999, 0),
    ("sim", "wake_ms", int, 0, 100, 0),
    ("sim", "console", str, ("fast", "slow", "stuck"), None, "fast"),
    ("sim", "direction_pin", bool, None, None, False),
)
_RECONNECT = (("min_s", "ReconnectMin"), ("max_s", "ReconnectMax"), ("jitter_s", "ReconnectJitter"))

# Names of the settings in the firmware; settings that it does not have are left out.
_FACTORY = (
    ("ocpp", "url", "CentralSystemUrl"),
    ("ocpp", "id", "ChargePointId"),
    ("ocpp", "auth_key", "AuthorizationKey"),
    ("ocpp", "ca_file", "CentralSystemCaFile"),
    ("ocpp", "security_profile", "SecurityProfile"),
    ("ocpp", "call_timeout_s", "MessageTimeout"),
    ("identity", "vendor", "ChargePointVendor"),
    ("identity", "model", "ChargePointModel"),
    ("identity", "serial", "ChargePointSerialNumber"),
    ("identity", "serial", "ChargeBoxSerialNumber"),
    ("identity", "firmware", "FirmwareVersion"),
    ("hw", "connectors", "NumberOfConnectors"),
    ("hw", "cable", "CableFixed"),
    ("hw", "max_a", "MaxCurrent"),
    ("hw", "phases", "Phases"),
    ("portal", "port", "PortalPort"),
)


class ConfigError(ValueError):
    """The configuration is not valid; the text says why, for a person."""


def load(path):
    """Returns the checked configuration as {section: {key: value}}. Raises ConfigError."""
    try:
        with open(path) as file:
            text = file.read(_LONGEST + 1)
    except (OSError, UnicodeError) as exc:
        raise ConfigError("cannot read %s: %s" % (path, str(exc) or "not UTF-8"))
    if len(text) > _LONGEST:
        raise ConfigError("%s has more than %d characters" % (path, _LONGEST))
    try:
        raw = json.loads(text)
    except (ValueError, MemoryError):  # MemoryError: brackets without end
        raise ConfigError("%s is not JSON" % path)
    return check(raw)


def check(raw):
    """Returns the configuration with defaults filled in. Raises ConfigError."""
    config = {"reconnect": {}, "uart": {"meter": None, "rfid": None}, "keys": {}}
    _want(raw, dict, "the configuration")
    for section, key, kind, low, high, default in _FIELDS:
        name = section + "." + key
        value = _section(raw, section).get(key)
        if value is None:
            value = default
        else:
            _want(value, kind, name)
            if isinstance(low, tuple):
                if value not in low:
                    raise ConfigError("%s must be one of %s, not %s" % (name, ", ".join(str(v) for v in low), value))
            elif kind is str:
                if not 1 <= len(value) <= high:
                    raise ConfigError("%s must have 1 to %d characters" % (name, high))
            elif low is not None and not low <= value <= high:
                raise ConfigError("%s must be from %s to %s, not %s" % (name, low, high, value))
        config.setdefault(section, {})[key] = value
    for key, _ in _RECONNECT:
        value = _section(_section(raw, "ocpp"), "reconnect", "ocpp.").get(key)
        if value is not None:
            _want(value, _NUMBER, "ocpp.reconnect." + key)
            if not 0 <= value <= 86400:
                raise ConfigError("ocpp.reconnect.%s must be from 0 to 86400" % key)
            config["reconnect"][key] = value
    for line in ("meter", "rfid"):
        path = _section(_section(raw, "hw"), "uart", "hw.").get(line)
        if path is not None:
            _want(path, str, "hw.uart." + line)
            config["uart"][line] = path
    for key, value in _section(raw, "keys").items():
        _want(value, str, "keys." + key)
        config["keys"][key] = value
    config["sim"]["meter_wh"] = _meter_wh(_section(raw, "sim").get("meter_wh", 0), config["hw"]["connectors"])
    url = config["ocpp"]["url"]
    if url is not None:
        check_url(url)
    return config


def check_url(url):
    """Raises ConfigError for an invalid URL of a central system."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("ws", "wss"):
        raise ConfigError("ocpp.url must begin with ws:// or wss://, not %s" % url)
    authority = rest.split("/")[0].split("?")[0]
    authority = authority.rpartition("@")[2]
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port:  # an IPv6 address contains colons
        host, port = authority, "80"
    if not host or any(char <= " " for char in url):
        raise ConfigError("ocpp.url has no host: %s; example: ws://192.168.1.10:9000" % url)
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ConfigError("ocpp.url must have a port from 1 to 65535: %s" % url)


def _meter_wh(value, connectors):
    """Returns the initial energy registers, one for each connector; a single number applies to all."""
    values = value if isinstance(value, list) else [value] * connectors
    if len(values) != connectors:
        raise ConfigError("sim.meter_wh must be one number, or one for each connector")
    for wh in values:
        _want(wh, int, "sim.meter_wh")
        if not 0 <= wh <= 999_999_999:
            raise ConfigError("sim.meter_wh must be from 0 to 999999999")
    return values


def _section(raw, name, prefix=""):
    value = raw.get(name)
    return {} if value is None else _want(value, dict, prefix + name)


def _want(value, kind, name):
    # In Python a bool is an int, but not in a configuration.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError("%s has the wrong type" % name)
    return value


def factory(config):
    """Returns the configuration as settings of the firmware: {name: text}."""
    settings = {}
    for section, key, name in _FACTORY:
        value = config[section][key]
        if value is None:
            continue
        if key == "cable":
            value = "true" if value == "fixed" else "false"
        elif key == "max_a":
            value *= 1000
        settings[name] = str(value)
    for key, name in _RECONNECT:
        if key in config["reconnect"]:
            settings[name] = str(int(config["reconnect"][key]))
    return settings


def factory_file(config):
    """Returns the content of factory.json for a board that starts from its flash."""
    hw = {key: config["hw"][key] for key in ("connectors", "cable", "max_a", "phases")}
    settings = factory(config)
    for key in ("NumberOfConnectors", "CableFixed", "MaxCurrent", "Phases"):
        settings.pop(key, None)  # those of hw
    settings.update(config["keys"])
    return {"board": "simulated", "hw": hw, "settings": settings}
