"""Reads the log of a station that starts, until it says that it is good."""

import re
import time
from dataclasses import dataclass

from tools.serial_port import SerialPort

_STARTED = re.compile(r" app: firmware (\S+) on board (\S+),")
_ADDRESS = re.compile(r" wifi: address (\S+)")
_CONFIRMED = re.compile(r" start: (?:confirmed|works): ")
_FAILED = re.compile(r"main: the start has failed: (.*)|main: (?:watchdog|panic): (.*)| start: (not confirmed: .*)")
_OVER = re.compile(r"main: (slot \w is given up: .*)|SAFE MODE")


@dataclass
class Start:
    """What the log of a start says. `failure`: why the version is not good, in words."""

    version: str = ""
    board: str = ""
    address: str = ""
    confirmed: bool = False
    failure: str = ""
    last: str = ""  # last line of the log


def watch(port: SerialPort, seconds: float, tell) -> Start:
    """Returns what the log says until the start is confirmed or has failed, or the time is over.

    `tell(text)` is called with what has become known.
    """
    start = Start()
    began = time.monotonic()
    for line in port.lines(seconds):
        if not line:
            continue
        start.last = line
        if found := _STARTED.search(line):
            start.version, start.board = found.groups()
            tell(f"version {start.version} runs on board {start.board}")
        elif found := _ADDRESS.search(line):
            start.address = found.group(1)
            tell(f"address {start.address}")
        elif _CONFIRMED.search(line):
            start.confirmed = True
            tell(f"the station works, it says so after {time.monotonic() - began:.0f} s")
            start.failure = ""
            break
        elif found := _FAILED.search(line):
            start.failure = next(filter(None, found.groups()), "an exception, see make console")
        elif found := _OVER.search(line):
            start.failure = found.group(1) or f"safe mode: {start.failure}"
            break
    return start
