"""The emulated devices answer byte for byte as the real ones do."""

import struct

from harness import raises
from modbus_rtu import ModbusError

from firmware.drivers.meter import Meter
from firmware.drivers.meter_models import model, models
from tools.sim.world.em4100_emulator import Em4100, frame
from tools.sim.world.field import Field
from tools.sim.world.meter_emulator import MeterBus, crc16, load_map
from tools.sim.world.pn532_emulator import ACK, ERROR, NACK, Pn532
from tools.sim.world.world import UART_METER, UART_READER, World

WAKE_UP = b"\x55\x55" + bytes(14)
# UM0701-02 §7.2.10: SAMConfiguration in normal mode, as every host library sends it.
SAM_CONFIGURATION = bytes.fromhex("0000ff05fbd4140114010200")
GET_FIRMWARE_VERSION = bytes.fromhex("0000ff02fed4022a00")
LIST_TARGET = bytes.fromhex("0000ff04fcd44a0100e100")


class Bench:
    def __init__(self, connectors=1, phases=3):
        self.ms = 0
        self.world = World(lambda: self.ms, lambda name, fields: None, connectors, phases=phases)
        self.outlet = self.world.outlets[0]
        self.meter = MeterBus(self.world.lines[UART_METER], self.world.timeline, self.world.outlets)
        self.line = self.world.lines[UART_READER]
        self.line.configure(115_200)
        self.field = Field(self.world.timeline)
        self.reader = Pn532(self.line, self.world.timeline, self.field)
        Em4100(self.line, self.world.timeline, self.field)

    def wait(self, ms):
        self.ms += ms
        self.world.timeline.now()

    def ask_reader(self, data, ms=20):
        self.line.write(data)
        self.wait(ms)
        return self.line.read(1000)


def request(unit, function, address, count):
    frame = struct.pack(">BBHH", unit, function, address, count)
    return frame + struct.pack("<H", crc16(frame))


def floats(answer):
    return struct.unpack(">%df" % (answer[2] // 4), answer[3:-2])


# -- meter


def test_crc_vectors():
    # Modbus over Serial Line V1.02, appendix B, and two frames of everyday use.
    assert crc16(b"\x02\x07") == 0x1241
    assert struct.pack("<H", crc16(bytes.fromhex("010400000002"))) == bytes.fromhex("71cb")
    assert crc16(bytes.fromhex("01040000000271cb")) == 0
    assert crc16(b"") == 0xFFFF


def test_registers_of_the_meter():
    bench = Bench()
    outlet = bench.outlet
    outlet.register.wh = 1_500
    outlet.plug(32)
    bench.world.pwm_output(1)(17_476)
    outlet.set_vehicle("C")
    outlet.set_load((16_000, 10_000, 6_000), 231_500)
    bench.world.write_pin(4, 1)
    bench.world.write_pin(5, 1)
    bench.wait(20)
    answer = bench.meter.answer(request(1, 4, 0, 18))
    assert answer[:3] == b"\x01\x04\x24" and crc16(answer) == 0
    assert floats(answer) == (231.5, 231.5, 231.5, 16.0, 10.0, 6.0, 3704.0, 2315.0, 1389.0)
    assert floats(bench.meter.answer(request(1, 4, 0x34, 2))) == (7408.0,)
    assert floats(bench.meter.answer(request(1, 4, 0x46, 6))) == (50.0, 1.5, 0.0)


def test_a_request_may_begin_in_the_middle_of_a_parameter():
    bench = Bench()
    whole = bench.meter.answer(request(1, 4, 0, 4))[3:-2]
    assert bench.meter.answer(request(1, 4, 1, 2))[3:-2] == whole[2:6]


def test_exceptions():
    bench = Bench()
    assert bench.meter.answer(request(1, 6, 0, 1))[:3] == b"\x01\x86\x01"
    assert bench.meter.answer(request(1, 4, 0x0180, 3))[:3] == b"\x01\x84\x02"
    assert bench.meter.answer(request(1, 4, 0, 81))[:3] == b"\x01\x84\x03"
    assert bench.meter.answer(request(1, 4, 0, 0))[:3] == b"\x01\x84\x03"
    assert crc16(bench.meter.answer(request(1, 4, 0, 0))) == 0


def test_silence():
    bench = Bench()
    good = request(1, 4, 0, 2)
    assert bench.meter.answer(good[:-1] + bytes((good[-1] ^ 1,))) is None
    assert bench.meter.answer(request(2, 4, 0, 2)) is None
    assert bench.meter.answer(b"\x01") is None
    bench.outlet.set_fault("meter_fail", True)
    assert bench.meter.answer(good) is None
    bench.outlet.set_fault("meter_fail", False)
    assert bench.meter.answer(good)


def test_each_connector_has_its_unit():
    bench = Bench(connectors=2)
    bench.world.outlets[1].register.wh = 2_000
    assert floats(bench.meter.answer(request(2, 4, 0x48, 2))) == (2.0,)
    assert floats(bench.meter.answer(request(1, 4, 0x48, 2))) == (0.0,)


def test_a_frame_ends_with_silence_and_the_answer_takes_its_time():
    bench = Bench()
    line = bench.world.lines[UART_METER]
    frame = request(1, 4, 0, 18)
    line.write(frame[:3])
    bench.wait(3)
    line.write(frame[3:])
    bench.wait(10)
    assert not line.any()
    # 41 bytes at 9600 baud are 43 ms
    bench.wait(40)
    assert 0 < line.any() < 41
    bench.wait(40)
    assert line.read(100) == bench.meter.answer(frame)


def test_garbage_before_a_frame_spoils_only_what_it_touches():
    bench = Bench()
    line = bench.world.lines[UART_METER]
    line.write(bytes(300))
    bench.wait(400)
    line.write(request(1, 4, 0, 2))
    bench.wait(100)
    assert line.any() == 9


def test_frozen_meter_repeats_itself():
    bench = Bench()
    bench.outlet.freeze_meter(True)
    bench.outlet.register.wh = 5_000
    assert floats(bench.meter.answer(request(1, 4, 0x48, 2))) == (0.0,)
    bench.outlet.freeze_meter(False)
    assert floats(bench.meter.answer(request(1, 4, 0x48, 2))) == (5.0,)


class Wire:
    """Stands for an RtuMaster whose line ends in the emulator."""

    def __init__(self, bus):
        self._bus = bus

    async def read_input(self, unit, address, count):
        return self._read(4, unit, address, count)

    async def read_holding(self, unit, address, count):
        return self._read(3, unit, address, count)

    def _read(self, function, unit, address, count):
        answer = self._bus.answer(request(unit, function, address, count))
        assert crc16(answer) == 0
        if answer[1] & 0x80:
            raise ModbusError(answer[2], "exception")
        return answer[3:-2]


async def test_every_model_is_read_by_its_driver():
    bench = Bench()
    outlet = bench.outlet
    outlet.register.wh, outlet.meter.exported.wh = 12_345_670, 4_320
    outlet.set_supply((229_000, 230_000, 231_000))
    outlet.meter.currents_ma = (16_000, 10_000, 6_000)
    for names, _ in models():
        outlet.meter.model = names[-1]
        reading = await Meter(Wire(bench.meter), 1, model(names[-1])).read()
        # The SDM630's single holds 24 bits: 1 Wh of 12 MWh is its last one.
        assert abs(reading.energy_wh - 12_345_670) <= 1_000, (names, reading.energy_wh)
        if reading.currents_ma and len(reading.currents_ma) == 3:
            assert reading.currents_ma == (16_000, 10_000, 6_000), names
            assert reading.voltages_mv == (229_000, 230_000, 231_000), names
            assert abs(reading.power_w - 7_350) <= 1, (names, reading.power_w)


async def test_a_meter_without_currents_and_one_that_counts_backwards():
    bench = Bench()
    outlet = bench.outlet
    outlet.meter.currents_ma = (10_000,) * 3
    outlet.set_fault("overcurrent_sensor", True)
    outlet.meter.reverse = True
    outlet.meter.exported.wh = 70
    reading = await Meter(Wire(bench.meter), 1, model("sdm630")).read()
    assert reading.currents_ma is None and reading.voltages_mv == (230_000,) * 3
    assert (reading.power_w, reading.export_wh) == (-6_900, 70)


def test_a_meter_of_another_kind_lacks_what_is_asked_for():
    bench = Bench()
    bench.outlet.meter.model = "abb-b23"
    assert bench.meter.answer(request(1, 4, 0, 18))[:3] == b"\x01\x84\x02"
    assert bench.meter.answer(request(1, 3, 0x5B00, 2))[:3] == b"\x01\x03\x04"
    with raises(ValueError):
        load_map("abacus")


def test_a_meter_that_answers_late_or_with_exceptions_or_garbled():
    bench = Bench()
    meter, line, frame = bench.outlet.meter, bench.world.lines[UART_METER], request(1, 4, 0, 2)
    meter.exception = 6
    assert bench.meter.answer(frame)[:3] == b"\x01\x84\x06"
    meter.exception = 0
    meter.garble = 2
    good = []
    for _ in range(4):
        line.write(frame)
        bench.wait(100)
        good.append(crc16(line.read(100)) == 0)
    assert good == [True, False, True, False]
    meter.garble = 0
    meter.delay_ms = 350
    line.write(frame)
    bench.wait(350)
    assert not line.any()
    bench.wait(50)
    assert crc16(line.read(100)) == 0


def test_states_of_a_meter_on_the_bus():
    bench = Bench()
    frame = request(1, 4, 0, 2)
    for state, head in (
        ("not_present", None), ("timeout", None), ("incompatible", b"\x01\x84\x02"), ("faulted", b"\x01\x84\x04"),
    ):  # fmt: skip
        bench.outlet.meter.state = state
        answer = bench.meter.answer(frame)
        assert (answer and answer[:3]) == head, state
    bench.outlet.meter.state = "misconfigured"
    assert crc16(bench.meter.answer(frame)) != 0
    bench.outlet.meter.state = "ok"
    assert crc16(bench.meter.answer(frame)) == 0


# -- reader


def awake():
    bench = Bench()
    bench.ask_reader(WAKE_UP + SAM_CONFIGURATION)
    return bench


def test_asleep_until_woken():
    bench = Bench()
    assert bench.ask_reader(GET_FIRMWARE_VERSION) == b""
    assert bench.ask_reader(WAKE_UP + SAM_CONFIGURATION) == ACK + bytes.fromhex("0000ff02fed5151600")


def test_firmware_version():
    assert awake().ask_reader(GET_FIRMWARE_VERSION) == ACK + bytes.fromhex("0000ff06fad50332010607e800")


def test_a_frame_in_pieces_is_a_frame():
    bench = awake()
    answer = b""
    for n in range(len(GET_FIRMWARE_VERSION)):
        answer += bench.ask_reader(GET_FIRMWARE_VERSION[n : n + 1], 3)
    assert answer.startswith(ACK)


def test_wrong_checksum_gets_nack_and_unknown_command_the_error_frame():
    bench = awake()
    assert bench.ask_reader(GET_FIRMWARE_VERSION[:-2] + b"\x00\x00") == NACK
    assert bench.ask_reader(bytes.fromhex("0000ff02fed4ff2d00")) == ACK + ERROR


def test_nack_from_the_host_repeats_the_answer():
    bench = awake()
    answer = bench.ask_reader(GET_FIRMWARE_VERSION)[len(ACK) :]
    assert bench.ask_reader(NACK) == answer


def test_listing_waits_for_a_card():
    bench = awake()
    assert bench.ask_reader(LIST_TARGET, 5_000) == ACK
    bench.field.show(bytes.fromhex("04A1B2C3"))
    bench.wait(20)
    assert bench.line.read(100) == bytes.fromhex("0000ff0cf4d54b01010004080404a1b2c3b400")


def test_retries_limit_the_wait():
    bench = awake()
    bench.ask_reader(bytes.fromhex("0000ff06fad43205ff0102f300"))
    assert bench.ask_reader(LIST_TARGET, 15) == ACK
    bench.wait(20)
    assert bench.line.read(100) == bytes.fromhex("0000ff03fdd54b00e000")


def test_a_card_that_leaves_in_the_middle_of_the_search_was_not_there():
    """Else nothing is answered, and the firmware takes the reader for lost."""
    bench = awake()
    bench.ask_reader(bytes.fromhex("0000ff06fad43205ff0102f300"))
    bench.field.show(bytes.fromhex("04A1B2C3"), held_ms=100)
    bench.wait(97)
    assert bench.ask_reader(LIST_TARGET, 40) == ACK + bytes.fromhex("0000ff03fdd54b00e000")


def test_ack_from_the_host_aborts():
    bench = awake()
    bench.ask_reader(LIST_TARGET)
    bench.ask_reader(ACK)
    bench.field.show(bytes(range(7)))
    bench.wait(50)
    assert not bench.line.any()


def test_long_ids():
    for length in (7, 10):
        bench = awake()
        bench.field.show(bytes(range(length)))
        answer = bench.ask_reader(LIST_TARGET)[len(ACK) :]
        assert answer[12] == length and answer[13 : 13 + length] == bytes(range(length))


def test_cards_come_one_after_the_other_with_a_gap():
    bench = awake()
    bench.field.show(b"\x04\x01\x01\x01")
    bench.field.show(b"\x04\x02\x02\x02")
    assert b"\x04\x01\x01\x01" in bench.ask_reader(LIST_TARGET)
    bench.wait(1_200)
    assert bench.ask_reader(LIST_TARGET) == ACK, "nobody in the gap"
    bench.wait(1_200)
    assert b"\x04\x02\x02\x02" in bench.line.read(100)


def test_noise_costs_nothing():
    bench = awake()
    bench.ask_reader(bytes((n * 7 & 0xFF for n in range(2000))))
    bench.ask_reader(bytes(300))
    assert bench.ask_reader(GET_FIRMWARE_VERSION).endswith(bytes.fromhex("d50332010607e800"))


def test_dead_chip_is_silent():
    bench = awake()
    bench.reader.dead = True
    assert bench.ask_reader(GET_FIRMWARE_VERSION) == b""


def test_states_of_a_reader_on_its_line():
    bench = awake()
    bench.reader.state = "incompatible"
    assert bench.ask_reader(GET_FIRMWARE_VERSION)[len(ACK) + 6 : len(ACK) + 8] == b"\x03\x33"
    bench.reader.state = "faulted"
    assert bench.ask_reader(GET_FIRMWARE_VERSION) == NACK
    bench.reader.state = "misconfigured"
    assert bench.ask_reader(GET_FIRMWARE_VERSION)[: len(ACK)] != ACK
    for state in ("timeout", "not_present"):
        bench.reader.state = state
        assert bench.ask_reader(GET_FIRMWARE_VERSION) == b""
    bench.reader.state = "ok"
    assert bench.ask_reader(GET_FIRMWARE_VERSION).startswith(ACK)


def test_a_card_leaves_at_once_and_the_next_may_come():
    bench = awake()
    bench.field.show(b"\x04\x01\x01\x01", 300, 0)
    bench.field.show(b"\x04\x01\x01\x01", 300, 0)
    assert bench.field.uid
    bench.wait(300)
    assert bench.field.uid, "the second time"
    bench.wait(300)
    assert not bench.field.uid


def test_frames_of_a_125_khz_tag():
    assert frame(bytes.fromhex("0400D50A4B")) == b"\x020400D50A4B90\x03"
    bench = Bench()
    bench.field.show(bytes.fromhex("0400D50A4B"), 350, 0)
    assert not bench.line.any(), "the board listens for a PN532"
    bench.wait(1000)
    bench.line.configure(9600)
    bench.field.show(bytes.fromhex("0400D50A4B"), 350, 0)
    bench.wait(350)
    assert bench.line.read(200) == frame(bytes.fromhex("0400D50A4B")) * 4, "repeated while the tag stays"
    bench.wait(1000)
    assert not bench.line.any()
