# The simulated charger with a second look at its loop gaps. MIT license.
"""Runs the simulated charger (arguments of tools/sim/run.py). Its loop gaps are also taken without the time that the
process has waited for a CPU of the host, and written to loop_gaps.json in the state directory at an orderly end.

That can be too little, as it may have waited when it had nothing to do. At most a period was held for as long as the
process ran in it, and no longer than it was late: `most`."""

import json
import sys

sys.path.insert(0, ".")

import tools.sim.run as simulator  # noqa: E402

from firmware.kernel import tasks  # isort: skip  # noqa: E402

_gaps = []


def schedule_ms():
    """Returns how long the process has run, and how long it was ready to and did not (Linux, proc(5)).

    (0, 0) where the kernel does not count it.
    """
    try:
        with open("/proc/self/schedstat") as file:
            ran_ns, waited_ns = file.read().split()[:2]
            return int(ran_ns) // 1_000_000, int(waited_ns) // 1_000_000
    except (OSError, ValueError):
        return 0, 0


class WatchedGaps(tasks.LoopGaps):
    def __init__(self):
        super().__init__()
        _gaps.append(self)

    def reset(self):
        super().reset()
        self.own = Plain()
        self.most = Plain()
        self._ran_ms, self._waited_ms = schedule_ms()

    def record(self, late_ms):
        super().record(late_ms)
        ran_ms, waited_ms = schedule_ms()
        own_ms = late_ms - (waited_ms - self._waited_ms)
        self.own.record(own_ms)
        self.most.record(max(own_ms, min(late_ms, ran_ms - self._ran_ms)))
        self._ran_ms, self._waited_ms = ran_ms, waited_ms


Plain = tasks.LoopGaps
tasks.LoopGaps = WatchedGaps
try:
    simulator.main(sys.argv[1:])
finally:
    own, most = _gaps[-1].own, _gaps[-1].most
    with open(sys.argv[sys.argv.index("--state") + 1] + "/loop_gaps.json", "w") as file:
        json.dump({"p999": own.p999_ms, "max": own.max_ms, "most_p999": most.p999_ms, "most": most.max_ms}, file)
