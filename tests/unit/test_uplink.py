"""The way to the network: who needs to know hears of a new address and of a lost one."""

import asyncio

from harness import FakeClock

from firmware.drivers.uplink import Wifi
from firmware.kernel.log import Log


class Wlan:
    def __init__(self):
        self.address = "0.0.0.0"
        self.joins = []

    def isconnected(self):
        return self.address != "0.0.0.0"

    def ipconfig(self, name):
        return (self.address, "255.255.255.0")

    def active(self, on):
        pass

    def disconnect(self):
        pass

    def connect(self, *credentials):
        self.joins.append(credentials)


def bench():
    clock = FakeClock()
    wlan = Wlan()
    uplink = Wifi(wlan, clock, Log(clock), lambda: ("home", "secret"))
    heard = []
    uplink.changed.connect(heard.append)
    return clock, wlan, uplink, heard


async def test_address_changes_are_told():
    clock, wlan, uplink, heard = bench()
    running = asyncio.create_task(uplink.run(lambda: None))
    for address in ("0.0.0.0", "192.0.2.7", "192.0.2.7", "0.0.0.0", "192.0.2.8", "192.0.2.9"):
        wlan.address = address
        await clock.run_for(1_000)
    running.cancel()
    assert heard == ["192.0.2.7", None, "192.0.2.8", None, "192.0.2.9"]


async def test_joining_is_tried_again():
    clock, wlan, uplink, _ = bench()
    running = asyncio.create_task(uplink.run(lambda: None))
    await clock.run_for(25_000)
    running.cancel()
    assert len(wlan.joins) == 2
