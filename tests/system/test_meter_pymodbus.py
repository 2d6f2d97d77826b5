"""The meter driver in a MicroPython process against pymodbus' RTU server, over a line that can be disturbed."""

import asyncio
import json
import os
import select
import subprocess
import threading
import tty
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice
from waiting import until

from tools.sim import Charger
from tools.sim.charger import interpreter

ROOT = Path(__file__).resolve().parents[2]


def floats(address, *values):
    return SimData(address, values=[float(value) for value in values], datatype=DataType.FLOAT32)


SDM630 = [
    floats(0x00, 230.5, 231.25, 229.75, 15.5, 16.25, 0.125, 3573, 3758, -29),
    floats(0x34, 7302),
    floats(0x46, 50.03125, 123456.789, 7.5),
]
SDM630_READING = [
    123_456_789,  # as float32: 123456.7890625 kWh
    7302,
    [15_500, 16_250, 125],
    [230_500, 231_250, 229_750],
    [3573, 3758, -29],
    50_031,
    7500,
]
SDM120 = [floats(0x00, 229), floats(0x06, 10), floats(0x0C, 2290), floats(0x46, 50, 1.5, 0)]
ABB_B23 = [
    SimData(0x5000, values=[123_450, 720], datatype=DataType.UINT64),
    SimData(0x5B00, values=[2305, 2312, 2297], datatype=DataType.INT32),
    SimData(0x5B0C, values=[1550, 1625, 12, 0, -736_000], datatype=DataType.INT32),
]


class Line:
    """Two ttys joined by a thread. `disturb(number, data)` returns what arrives of the n-th piece from the server."""

    def __init__(self):
        self._ends = [os.openpty() for _ in range(2)]
        for _, slave in self._ends:
            tty.setraw(slave)
        self.server_tty, self.charger_tty = (os.ttyname(slave) for _, slave in self._ends)
        self.disturb = None
        self.requests = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self):
        server, charger = (master for master, _ in self._ends)
        answers = 0
        while not self._stop.is_set():
            for end in select.select((server, charger), (), (), 0.05)[0]:
                data = os.read(end, 4096)
                if end == charger:
                    self.requests += 1
                    os.write(server, data)
                    continue
                answers += 1
                os.write(charger, self.disturb(answers, data) if self.disturb else data)

    def to_charger(self, data):
        os.write(self._ends[1][0], data)

    def next_request(self, timeout):
        """Waits for the charger's next request, in disturb(); returns False when none comes in `timeout` s."""
        return bool(select.select((self._ends[1][0],), (), (), timeout)[0])

    def close(self):
        self._stop.set()
        self._thread.join()
        for end in self._ends:
            for descriptor in end:
                os.close(descriptor)


class Server:
    """pymodbus' serial server in a thread with an event loop of its own."""

    def __init__(self, path, devices):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(self._start(path, devices))

    async def _start(self, path, devices):
        server = ModbusSerialServer(devices, framer=FramerType.RTU, port=path, baudrate=19_200)
        await server.serve_forever(background=True)
        return server

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(5)

    def close(self):
        self._run(self._server.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def line():
    line = Line()
    yield line
    line.close()


@pytest.fixture
def server(line):
    servers = []

    def start(*devices):
        servers.append(Server(line.server_tty, [SimDevice(unit, simdata=data) for unit, data in devices]))

    yield start
    for running in servers:
        running.close()


def read(line, model="sdm630", unit=1, count=1, retries=1):
    """Returns what the driver makes of `count` looks at the meter."""
    command = [*interpreter(), ROOT / "tests/system/meter_reader.py", line.charger_tty, model, unit, count, retries]
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "MICROPYPATH": f".frozen:{ROOT}:{ROOT / 'lib'}"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = [json.loads(row) for row in done.stdout.splitlines()]
    assert len(results) == count, done.stdout + done.stderr
    return results


def is_sdm630(result):
    return result.get("reading") == SDM630_READING


def test_a_three_phase_meter_is_read_whole(line, server):
    server((1, SDM630))
    assert all(is_sdm630(result) for result in read(line, count=3))


def test_a_single_phase_meter_among_others_on_the_line(line, server):
    server((1, SDM630), (2, SDM120))
    reading = read(line, model="sdm120", unit=2)[0]["reading"]
    assert reading == [1500, 2290, [10_000], [229_000], None, 50_000, 0]


def test_holding_registers_in_int32_and_uint64(line, server):
    server((5, ABB_B23))
    reading = read(line, model="abb-b23", unit=5)[0]["reading"]
    assert reading == [1_234_500, -7360, [15_500, 16_250, 120], [230_500, 231_200, 229_700], None, None, 7200]


def test_an_unknown_unit_is_reported_and_not_taken_for_another(line, server):
    server((1, SDM630))
    assert "error" in read(line, unit=9)[0]


def test_a_meter_without_energy_registers_is_an_error_with_its_code(line, server):
    server((1, SDM630[:2]))
    assert read(line)[0]["code"] == 2


def test_a_meter_without_voltages_is_read_without_them(line, server):
    server((1, SDM630[1:]))
    energy_wh, power_w, currents_ma, voltages_mv = read(line, model="sdm72")[0]["reading"][:4]
    assert (energy_wh, power_w, currents_ma, voltages_mv) == (123_456_789, 7302, None, None)


def test_a_damaged_answer_is_asked_for_again(line, server):
    server((1, SDM630))
    line.disturb = lambda number, data: bytes((data[0] ^ 0x10,)) + data[1:] if number == 1 else data
    assert is_sdm630(read(line)[0])
    assert line.requests >= 4  # three blocks and one repetition


def test_noise_before_every_answer_is_passed_over(line, server):
    server((1, SDM630))
    line.disturb = lambda number, data: b"\x00\xff\x55" + data
    assert all(is_sdm630(result) for result in read(line, count=2, retries=0))


def test_an_answer_that_comes_too_late_does_not_answer_the_next_question(line, server):
    server((1, SDM630))

    def late(number, data):
        if number == 1:
            assert line.next_request(timeout=5)
        return data

    line.disturb = late
    first, *rest = read(line, count=4, retries=0)
    assert first["code"] is None
    assert is_sdm630(rest[-1])
    assert all("error" in result or is_sdm630(result) for result in rest)


def test_a_line_full_of_noise_ends_in_an_error_and_recovers(line, server):
    server((1, SDM630))
    line.disturb = lambda number, data: os.urandom(3000) if number == 1 else data
    results = read(line, count=4, retries=0)
    assert "error" in results[0]
    assert is_sdm630(results[-1])


def test_a_silent_line_is_an_error_within_its_time(line):
    result = read(line, retries=1)[0]
    assert result["code"] is None
    assert result["ms"] < 2000


@pytest.mark.parametrize(
    "keys",
    [
        {"MeterModel": "abb-b23"},
        {"MeterModel": "custom", "MeterRegisters": "holding int32 3 energy_wh=0x5000:2:uint64 voltages_mv=0x5B00:1"},
    ],
)
def test_a_session_is_billed_by_the_meter_that_is_set(line, server, csms, keys):
    """A meter by name, and one by its registers, at a unit of its own: from the setting to StartTransaction."""
    server((5, ABB_B23))
    keys = dict(keys, MeterUnit="5")
    with Charger(csms.url, keys=keys, config={"hw": {"uart": {"meter": line.charger_tty}}}) as charger:
        charger.wait_boot()
        charger.plug()
        charger.swipe("04A1B2C3")
        assert csms.expect("StartTransaction")["meterStart"] == 1_234_500
    assert csms.violations == []


def test_a_meter_behind_a_slow_gateway_is_read_with_a_longer_time_out(line, server, csms):
    """M6."""
    server((1, SDM630))
    impatient = []

    def late(number, data):
        impatient.append(line.next_request(timeout=0.35))  # longer than a MeterTimeout of 300 ms
        return data

    line.disturb = late
    config = {"hw": {"uart": {"meter": line.charger_tty}}}
    with Charger(csms.url, keys={"MeterTimeout": "800"}, config=config) as charger:
        charger.wait_boot()
        charger.plug()
        charger.swipe("04A1B2C3")
        assert csms.expect("StartTransaction", timeout=10)["meterStart"] == 123_456_789
        assert charger.connector()["faults"] == []
    assert impatient and not any(impatient)


def test_a_whole_charger_loses_its_meter_and_finds_it_again(line):
    meter = Server(line.server_tty, [SimDevice(1, simdata=SDM630)])
    with Charger(config={"hw": {"uart": {"meter": line.charger_tty}}}) as charger:
        until(lambda: line.requests >= 6)
        assert charger.connector()["faults"] == []
        meter.close()
        charger.expect("fault", timeout=15, connector=1, on=True)
        meter = Server(line.server_tty, [SimDevice(1, simdata=SDM630)])
        charger.expect("fault", timeout=15, connector=1, on=False)
    meter.close()
