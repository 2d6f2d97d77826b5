"""Pin layout of the second board: ESP32-WROVER (4 MB or more of flash, PSRAM), one three-phase fixed cable of 32 A.

Not used: GPIO 0, 2, 5, 12, 15 (strapping), 6 to 11 (flash), 16 and 17 (PSRAM), 1 and 3 (console). 34 to 39 are inputs
without pull-up resistors. All ADC inputs are on ADC1 (32 to 39): ADC2 fails while Wi-Fi is on. The
remaining pins are too few for a lock and a proximity contact, hence the fixed cable.
"""

LAYOUT = {
    "name": "esp32-wrover",
    "chip": "esp32",
    "cpu_hz": 240_000_000,
    "max_ma": 32_000,
    "phases": 3,
    "fixed_cable": True,
    "connectors": (
        {
            # This converter is linear from 150 to 2450 mV only; the divider fits that range.
            "pilot": {"pwm": 25, "adc": 36, "calibration": ((200_000, -12_000), (2_400_000, 12_000))},
            # 47 kOhm keep the NTC below the ceiling down to -25 C.
            "thermistor": {"adc": 39, "pull_up_ohm": 47_000, "ceiling_mv": 2450},
            "contactor": {"coil_l1": 26, "coil_l23": 27, "aux_l1": 34},
            "rcd": {"trip": 35, "test": 14},
            "stop": {"pin": 22},
            "emergency": {"pin": 23},
            "indicator": {"red": 18, "green": 19, "blue": 21},
            "meter": {"model": "sdm630", "unit": 1},
        },
    ),
    "meter_bus": {"uart": 1, "baudrate": 9600, "tx": 32, "rx": 33},
    "readers": ({"kind": "pn532", "uart": 2, "tx": 4, "rx": 13},),
    "service": {"pin": 0},  # BOOT of the usual modules: a strapping pin, free after the start
    "reset_register": 0x3FF4_8034,
    "watchdog_ms": 20_000,
}
