"""drivers/meter: every model against an image of its registers, and what a meter can get wrong."""

import struct

from harness import raises
from modbus_rtu import ModbusError

from firmware.drivers.meter import WORDS, Meter, float32_scaled
from firmware.drivers.meter_models import FIELDS, Model, model, models

FUNCTIONS = {"holding": 3, "input": 4}

# What the synthetic meters measure, in V, A, W, Hz and kWh.
WORLD = {
    "voltages_mv": (230.5, 231.25, 229.75),
    "currents_ma": (15.5, 16.25, 0.125),
    "powers_w": (3573, 3758, 29),
    "power_w": (7360,),
    "frequency_mhz": (50.03125,),
    "energy_wh": (1234.5,),
    "export_wh": (7.5,),
}

# Half of the last digit of the coarsest meter.
RESOLUTION = {"voltages_mv": 50, "currents_ma": 5, "frequency_mhz": 5, "power_w": 5, "powers_w": 5}


class Registers:
    """The registers of a meter as a master reads them; `absent` addresses are answered with exception 2."""

    def __init__(self, function):
        self.function = FUNCTIONS[function]
        self.words = {}
        self.reads = []
        self.errors = []
        self.absent = ()

    def put(self, address, kind, number, low_first=False):
        size = WORDS[kind] * 2
        if kind == "float32":
            data = struct.pack(">f", number)
        else:
            data = (round(number) & ((1 << (8 * size)) - 1)).to_bytes(size, "big")
        words = [data[i : i + 2] for i in range(0, size, 2)]
        if low_first:
            words.reverse()
        for i in range(len(words)):
            self.words[address + i] = words[i]

    async def read_input(self, unit, address, count):
        return self._read(4, unit, address, count)

    async def read_holding(self, unit, address, count):
        return self._read(3, unit, address, count)

    def _read(self, function, unit, address, count):
        assert function == self.function
        self.reads.append((unit, address, count))
        if self.errors:
            raise ModbusError(self.errors.pop(0), "")
        for register in range(address, address + count):
            if register in self.absent:
                raise ModbusError(2, "illegal data address")
        return b"".join([self.words.get(register, b"\x00\x00") for register in range(address, address + count)])


def known():
    """All models by name."""
    return {name: Model(line.split()) for names, line in models() for name in names}


def meter_of(registers, name="sdm630"):
    return Meter(registers, 1, model(name))


def image_of(model):
    """A meter of this model that measures WORLD."""
    registers = Registers(model.function)
    for name, (register, decimals, kind, factor_register) in model.fields.items():
        factor = 0
        if factor_register is not None:
            factor = 1 if name == "power_w" or name == "powers_w" else -2 if kind == "int16" else 0
            registers.put(factor_register, "int16", factor)
        values = WORLD[name][: model.phases]
        for i in range(len(values)):
            registers.put(register + i * WORDS[kind], kind, values[i] * 10.0 ** (decimals - factor), model.low_first)
    return registers


# What SmartEVSE has proven in the field: registers of voltage, current, power, energy and exported energy.
PROVEN = {
    "phoenix-eem350": (0x0, 0xC, 0x28, 0x3E, None),
    "finder-7e78": (0x1000, 0x100E, 0x1026, 0x1106, 0x110E),
    "finder-7m38": (2500, 2516, 2536, 2638, None),
    "sdm630": (0x0, 0x6, 0x34, 0x48, 0x4A),
    "sdm72": (0x0, 0x6, 0x34, 0x48, 0x4A),
    "sdm120": (0x0, 0x6, 0x0C, 0x48, 0x4A),
    "sdm230": (0x0, 0x6, 0x0C, 0x48, 0x4A),
    "abb-b23": (0x5B00, 0x5B0C, 0x5B14, 0x5000, 0x5004),
    "solaredge-sunspec": (40196, 40191, 40206, 40234, 40226),
    "wago-879": (0x5002, 0x500C, 0x5012, 0x600C, 0x6018),
    "sinotimer-dts6619": (0x0, 0x3, 0x8, 0x27, 0x31),
    "schneider-iem3x5x": (0x0BD3, 0x0BB7, 0x0BF3, 0xB02B, 0xB02D),
    "chint-dtsu666": (0x2000, 0x200C, 0x2012, 0x101E, 0x1028),
    "chint-ddsu666": (0x2000, 0x2002, 0x2004, 0x4000, 0x400A),
    "carlo-gavazzi-em340": (0x0, 0xC, 0x28, 0x34, 0x4E),
}


def test_the_registers_are_those_of_the_field():
    assert set(PROVEN) == set(known())
    for name, registers in PROVEN.items():
        fields = model(name).fields
        for field, register in zip(("voltages_mv", "currents_ma", "power_w", "energy_wh", "export_wh"), registers):
            assert fields.get(field, (None,))[0] == register, (name, field)


async def test_a_meter_wired_backwards_shows_its_load():
    registers = image_of(model("sdm630"))
    registers.put(0x06, "float32", -15.5)
    reading = await meter_of(registers).read()
    assert reading.currents_ma[0] == 15_500


async def test_every_model_reads_its_registers():
    for name, map_ in known().items():
        registers = image_of(map_)
        reading = await Meter(registers, 7, map_).read()
        for field in FIELDS:
            value = getattr(reading, field)
            if field not in map_.fields:
                assert value is None, (name, field)
                continue
            values = value if isinstance(value, tuple) else (value,)
            expected = WORLD[field][: map_.phases]
            assert len(values) == len(expected), (name, field)
            for i in range(len(values)):
                tolerance = RESOLUTION.get(field, 0)
                wanted = expected[i] * 10 ** FIELDS[field]
                assert abs(values[i] - wanted) <= tolerance, (name, field, values[i], wanted)
        assert all(unit == 7 for unit, _, _ in registers.reads)


def test_no_request_is_longer_than_the_meter_answers():
    for map_ in known().values():
        for _, count, _ in map_.requests():
            assert count <= map_.longest


def test_registers_side_by_side_are_read_together():
    assert [(address, count) for address, count, _ in model("sdm630").requests()] == [(0, 18), (0x34, 2), (0x46, 6)]
    assert len(model("solaredge-sunspec").requests()) == 1


def single(value):
    return int.from_bytes(struct.pack(">f", value), "big")


def test_float32_becomes_an_integer_without_a_float():
    assert float32_scaled(single(230.5), 3) == 230_500
    assert float32_scaled(single(-3.6804), 3) == -3680
    assert float32_scaled(single(0.0004), 3) == 0
    assert float32_scaled(single(0.0), 3) == 0
    assert float32_scaled(single(-0.0), 3) == 0
    assert float32_scaled(single(16_777_215.0), 0) == 16_777_215
    assert float32_scaled(single(1_000_000.0), 3) == 1_000_000_000
    assert float32_scaled(single(7360.4), -1) == 736


def test_what_is_no_number_is_none():
    assert float32_scaled(0x7FC00000, 3) is None  # NaN
    assert float32_scaled(0xFFC00000, 3) is None
    assert float32_scaled(0x7F800000, 0) is None  # infinity
    assert float32_scaled(single(1e30), 0) is None
    assert float32_scaled(0x00000001, 3) == 0


async def test_a_phase_that_is_not_there_leaves_one_value():
    registers = image_of(model("sdm630"))
    registers.words[2] = registers.words[4] = b"\x7f\xc0"  # NaN in the high word of L2 and L3
    registers.words[6] = b"\x7f\xc0"
    reading = await meter_of(registers).read()
    assert reading.voltages_mv == (230_500,)
    assert reading.currents_ma is None


async def test_integers_that_mean_not_implemented_are_none():
    registers = image_of(model("solaredge-sunspec"))
    registers.words[40206] = b"\x80\x00"
    registers.words[40203] = b"\x80\x00"  # the scale factor of the voltages
    reading = await meter_of(registers, "solaredge-sunspec").read()
    assert reading.power_w is None
    assert reading.voltages_mv is None
    assert reading.energy_wh == 1_234_500


async def test_a_scale_factor_beyond_sense_is_none():
    registers = image_of(model("solaredge-sunspec"))
    registers.put(40242, "int16", 30_000)
    assert (await meter_of(registers, "solaredge-sunspec").read()).energy_wh is None


async def test_negative_power_is_export():
    for name in ("sdm630", "abb-b23", "carlo-gavazzi-em340", "sinotimer-dts6619"):
        map_ = model(name)
        registers = image_of(map_)
        register, decimals = map_.fields["power_w"][:2]
        registers.put(register, map_.kind, -1500 * 10**decimals, map_.low_first)
        assert (await meter_of(registers, name).read()).power_w == -1500


async def test_a_variant_without_some_registers_is_read_without_them():
    registers = image_of(model("sdm72"))
    registers.absent = (0x00,)
    reading = await meter_of(registers, "sdm72").read()
    assert reading.voltages_mv is None
    assert reading.energy_wh == 1_234_500


async def test_a_meter_that_gives_no_energy_is_an_error():
    registers = image_of(model("sdm630"))
    registers.absent = (0x48,)
    with raises(ModbusError) as caught:
        await meter_of(registers).read()
    assert caught.value.code == 2


async def test_a_meter_that_is_silent_or_broken_is_an_error_and_comes_back():
    registers = image_of(model("sdm630"))
    meter = meter_of(registers)
    for code in (None, 4, 6):
        registers.errors = [code]
        with raises(OSError):
            await meter.read()
    assert (await meter.read()).energy_wh == 1_234_500


async def test_a_register_map_of_ones_own():
    model = Model("holding int32 1 low-first energy_wh=100:3 power_w=104".split())
    registers = Registers("holding")
    registers.put(100, "int32", 70_000, low_first=True)
    registers.put(104, "int32", -1, low_first=True)
    reading = await Meter(registers, 1, model).read()
    assert (reading.energy_wh, reading.power_w) == (70_000, -1)
    assert [count for _, _, count in registers.reads] == [2, 2]


def test_an_unknown_name_is_refused():
    with raises(ValueError):
        model("sdm999")


def test_a_register_map_that_makes_no_sense_is_refused():
    for text in (
        "",
        "input float32 3 power_w=1",
        "input float32 2 energy_wh=1",
        "input bcd 1 energy_wh=1",
        "input int16 1 energy_wh=70000",
        "input int16 1 energy_wh=1:0:bcd",
        "input int16 1 energy_wh=1:0:int16:2:3",
        "input int16 1 energy_wh=x",
        "input int16 1 energy_wh",
        "input int16 1 energy_wh=1 colour=2",
        "input int16 1 energy_wh=1 longest=x",
    ):
        with raises(ValueError):
            Model(text.split())


def test_no_map_asks_for_more_than_modbus_gives():
    map_ = Model("input int16 1 longest=500 energy_wh=0 power_w=125".split())
    assert [(address, count) for address, count, _ in map_.requests()] == [(0, 1), (125, 1)]
    map_ = Model("input int16 1 longest=500 bridge=200 energy_wh=0 power_w=124 voltages_mv=125".split())
    assert [(address, count) for address, count, _ in map_.requests()] == [(0, 125), (125, 1)]


def test_the_step_of_the_energy_register_is_that_of_its_decimals():
    """M1: the register's resolution."""
    for line, wh in (
        ("input int32 1 energy_wh=0:1", 100),
        ("input int32 1 energy_wh=0:2", 10),
        ("input int32 1 energy_wh=0:3", 1),
        ("input int32 1 energy_wh=0:6", 1),
        ("input float32 1 energy_wh=0", 1),
    ):
        parsed = Model(line.split())
        assert Meter(Registers(parsed.function), 1, parsed).resolution_wh == wh
