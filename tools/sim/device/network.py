# `network` of an ESP32 for the unix port. MIT license.
"""Module `network` of the simulated board: the Wi-Fi station interface is connected while the network is up."""

from micropython import const

STA_IF = const(0)
AP_IF = const(1)
STAT_IDLE = const(1000)
STAT_CONNECTING = const(1001)
STAT_GOT_IP = const(1010)
AUTH_OPEN = const(0)
AUTH_WPA2_PSK = const(3)


class _Net:
    """The connections of this module to the world."""

    world = None
    interfaces = {}


def attach(world):
    _Net.world = world


def hostname(name=None):
    return name or "wallbox"


def country(code=None):
    return code or "XX"


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF

    def __new__(cls, interface=STA_IF):
        # One object for each interface, as on the board.
        if interface not in _Net.interfaces:
            _Net.interfaces[interface] = object.__new__(cls)
        return _Net.interfaces[interface]

    def __init__(self, interface=STA_IF):
        if not hasattr(self, "_interface"):
            self._interface = interface
            self._active = False
            self._wanted = False
            self._settings = {"essid": "", "mac": bytes((2, 0x53, 0x49, 0x4D, 0, interface))}

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = bool(on)
        return self._active

    def connect(self, ssid=None, key=None, bssid=None):
        self._settings["essid"] = ssid or self._settings["essid"]
        self._wanted = True

    def disconnect(self):
        self._wanted = False

    def isconnected(self):
        return self._interface == STA_IF and _Net.world.network_up

    def status(self, parameter=None):
        if parameter == "rssi":
            return -60
        if self._interface == AP_IF:
            return []
        if self.isconnected():
            return STAT_GOT_IP
        return STAT_CONNECTING if self._wanted else STAT_IDLE

    def scan(self):
        return [(b"simulated", b"\x02SIM\x00\x02", 6, -60, AUTH_WPA2_PSK, False)]

    def ifconfig(self, addresses=None):
        return ("127.0.0.1" if self.isconnected() else "0.0.0.0", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def ipconfig(self, name=None, **settings):
        if name == "addr4":
            return ("127.0.0.1" if self.isconnected() else "0.0.0.0", "255.0.0.0")

    def config(self, name=None, **settings):
        if name is not None:
            return self._settings.get("essid" if name == "ssid" else name)
        self._settings.update(settings)
