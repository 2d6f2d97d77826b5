# The simulated charger with a second look at its loop gaps. MIT license.
"""Runs the simulated charger (arguments of tools/sim/run.py). Its loop gaps are also taken without the time that the
process has waited for a CPU of the host, and written to loop_gaps.json in the state directory at an orderly end."""

import json
import sys

sys.path.insert(0, ".")

import tools.sim.run as simulator  # noqa: E402

from firmware.kernel import tasks  # isort: skip  # noqa: E402

_gaps = []


def waited_ns():
    """Returns how long the process has been ready to run and did not (Linux, proc(5)); 0 where nobody counts it."""
    try:
        with open("/proc/self/schedstat") as file:
            return int(file.read().split()[1])
    except (OSError, IndexError):
        return 0


class WatchedGaps(tasks.LoopGaps):
    def __init__(self):
        super().__init__()
        _gaps.append(self)

    def reset(self):
        super().reset()
        self.own = Plain()
        self._waited_ns = waited_ns()

    def record(self, late_ms):
        super().record(late_ms)
        now_ns = waited_ns()
        self.own.record(late_ms - (now_ns - self._waited_ns) // 1_000_000)
        self._waited_ns = now_ns


Plain = tasks.LoopGaps
tasks.LoopGaps = WatchedGaps
try:
    simulator.main(sys.argv[1:])
finally:
    own = _gaps[-1].own
    with open(sys.argv[sys.argv.index("--state") + 1] + "/loop_gaps.json", "w") as file:
        json.dump({"count": own.count, "p50": own.quantile_ms(500), "p999": own.p999_ms, "max": own.max_ms}, file)
