# interpreters: micropython
"""drivers/pilot in the 20 ms task: fifty samples a second must not fill the heap."""

import gc

from firmware.drivers.pilot import Pilot


class Adc:
    levels = (1_650_000, 1_650_000, 330_000)
    reads = 0
    now_us = 0

    def read_uv(self):
        self.reads += 1
        self.now_us += 45
        return self.levels[self.reads % 3]

    def ticks_us(self):
        self.now_us += 3
        return self.now_us


class Pwm:
    def duty_u16(self, duty):
        pass


def test_a_sample_allocates_nothing():
    adc = Adc()
    pilot = Pilot(Pwm(), adc, ((330_000, -12_000), (2_970_000, 12_000)), ticks=adc.ticks_us)
    pilot.drive(1000)
    pilot.sample()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(10):
        pilot.sample()
    used = gc.mem_alloc() - before
    gc.enable()
    assert used == 0, used
