"""CPU time of one CALL of the back-end (parse, validate, dispatch, answer), compared with json alone."""

from tools.bench import probes
from tools.bench.report import Row, Section, Table, times

COMMAND = "python -m tools.bench calls"
_BUDGET = 8
_AIM = 4


def measure(_):
    found = probes.run("calls")
    actions = found["actions"]
    worst = max(actions, key=lambda name: actions[name]["ratio"])
    middle = sorted(action["ratio"] for action in actions.values())[len(actions) // 2]
    row = Row(
        "one inbound CALL, CPU beside json.loads + json.dumps of its text",
        actions[worst]["ratio"],
        _BUDGET,
        times,
        anchor=f"the floor in this language; aim {_AIM}x",
        note=f"the slowest, {worst}; median of actions {times(middle)}; {found['rounds']} rounds of {found['calls']}",
        command=COMMAND,
    )
    rows = [
        (name, str(a["bytes"]), f"{a['ours_us']:.0f} us", f"{a['floor_us']:.0f} us", times(a["ratio"]))
        for name, a in sorted(actions.items())
    ]
    return Section([row], [Table("CPU of a CALL", ("action", "bytes", "ours", "json alone", "ratio"), rows)])
