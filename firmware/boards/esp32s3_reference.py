"""Pin layout of the reference board: ESP32-S3 N16R8 (16 MB flash, 8 MB octal PSRAM), one three-phase socket of 32 A.

Not used: GPIO 0, 3, 45, 46 (strapping), 19 and 20 (USB), 26 to 37 (flash and octal PSRAM), 43 and 44 (console). All
ADC inputs are on ADC1: ADC2 fails while Wi-Fi is on. GPIO 39 to 42 are JTAG, which the USB port has as well.
"""

# The S3's converter is linear up to 3.1 V and saturates above.
_ADC_CEILING_MV = 3050

LAYOUT = {
    "name": "esp32s3-reference",
    "chip": "esp32s3",
    "cpu_hz": 240_000_000,
    "max_ma": 32_000,
    "phases": 3,
    "fixed_cable": False,
    "connectors": (
        {
            # A divider and an offset turn -12..+12 V into 0.33..2.97 V; commissioning replaces the nominal points.
            "pilot": {
                "pwm": 4,
                "adc": 1,
                "switch": 5,
                "calibration": ((330_000, -12_000), (2_970_000, 12_000)),
            },
            "proximity": {"adc": 2, "pull_up_ohm": 1000},
            # 22 kOhm keep the NTC below the ceiling down to -30 C.
            "thermistor": {"adc": 6, "pull_up_ohm": 22_000, "ceiling_mv": _ADC_CEILING_MV},
            "contactor": {"coil_l1": 7, "coil_l23": 8, "aux_l1": 9, "aux_l23": 10},
            "lock": {"forward": 11, "backward": 12, "feedback": 13},
            "rcd": {"trip": 14, "test": 15},
            "stop": {"pin": 16},
            "emergency": {"pin": 17},
            "indicator": {"red": 39, "green": 40, "blue": 41},
            "meter": {"model": "sdm630", "unit": 1},
        },
    ),
    "meter_bus": {"uart": 1, "baudrate": 9600, "tx": 18, "rx": 21, "direction": 42},
    "readers": ({"kind": "pn532", "uart": 2, "tx": 47, "rx": 48},),
    "service": {"pin": 0},  # BOOT of the usual modules: a strapping pin, free after the start
    "reset_register": 0x6000_8038,
    "watchdog_ms": 20_000,
}
