"""Reads a meter on a tty with the firmware's driver: `micropython meter_reader.py TTY MODEL UNIT COUNT RETRIES`.

Prints one line of JSON for each of COUNT readings: {"reading": [...]} or {"error": text, "code": exception code}.
"""

import asyncio
import json
import sys
import time

from modbus_rtu import ModbusError, RtuMaster

from firmware.drivers import meter_models
from firmware.drivers.meter import Meter


class Tty:
    """A tty as a stream. A file read for n bytes blocks until all are there, so it is read byte by byte."""

    def __init__(self, path):
        self._file = open(path, "r+b")
        self._stream = asyncio.StreamReader(self._file)

    async def read(self, n):
        return await self._stream.read(1)

    def write(self, data):
        self._file.write(data)

    async def drain(self):
        pass


async def main(path, model, unit, count, retries):
    master = RtuMaster(Tty(path), baudrate=19_200, timeout_ms=200, retries=int(retries))
    meter = Meter(master, int(unit), meter_models.model(model))
    for _ in range(int(count)):
        began = time.ticks_ms()
        try:
            line = {"reading": (await meter.read()).to_list()}
        except ModbusError as exc:
            line = {"error": str(exc), "code": exc.code}
        line["ms"] = time.ticks_diff(time.ticks_ms(), began)
        print(json.dumps(line))


asyncio.run(main(*sys.argv[1:]))
