# interpreters: micropython
"""sortedfile on LittleFS: whatever write the power cut hits, the content is the old or the new one."""

from flash import files, sweep
from sortedfile import SortedFile

KEY = 8
RECORD = 46


def record(number, value):
    return b"%08d" % number + bytes(RECORD - KEY - 1) + bytes((value,))


def opened(path):
    return SortedFile(path + "/sorted", KEY, RECORD, lambda r: r[-1] == 0, most_changes=30)


# Contents in the order in which they are made: a whole one, small changes beside it, so many that everything is written
# anew, small ones again, a whole one that is sorted through a file, changes to that, nothing, changes to nothing.
STEPS = (
    ("replace", dict.fromkeys(range(40), 1)),
    ("update", {i: i % 3 for i in range(30, 50)}),
    ("update", {i: i % 2 for i in range(0, 60, 2)}),
    ("update", {7: 9, 70: 1, 8: 0}),
    ("replace", dict.fromkeys(range(100, 250), 2)),
    ("update", {100: 0, 101: 5}),
    ("remove", {}),
    ("update", {1: 1, 2: 2}),
)


def contents():
    """Returns what is there before the first step and after each one."""
    content = {}
    found = [{}]
    for kind, changes in STEPS:
        content = dict(content) if kind == "update" else {}
        content.update(changes)
        content = {number: value for number, value in content.items() if value}
        found.append(content)
    return found


def test_every_power_cut_leaves_the_content_before_or_after_a_step():
    expected = contents()

    def act(path, promise):
        file = opened(path)
        for i, (kind, changes) in enumerate(STEPS):
            if kind == "remove":
                file.remove()
            else:
                getattr(file, kind)((record(n, v) for n, v in changes.items()), b"%d" % (i + 1))
            promise(i + 1)

    def check(path, promises):
        file = opened(path)
        assert not file.damaged
        done = promises[-1] if promises else 0
        possible = {done: expected[done]}
        if done < len(STEPS):
            possible[done + 1] = expected[done + 1]
        number = int(file.meta or b"0")
        if not file.meta:  # nothing yet, or removed
            number = 0 if done == 0 else 7
        assert number in possible, (number, done, file.meta, files(path))
        content = possible[number]
        assert file.count == len(content)
        assert sorted(file.records()) == sorted(record(n, v) for n, v in content.items())
        for n in (1, 8, 30, 33, 48, 70, 101, 249):
            assert file.get(record(n, 0)[:KEY]) == (record(n, content[n]) if n in content else None)
        assert set(files(path)) <= {"sorted", "sorted.changes"}
        file.update([record(500, 3)], b"more")
        assert file.count == len(content) + 1 and file.get(record(500, 0)[:KEY]) == record(500, 3)
        file.close()

    cuts = sweep(lambda path: None, act, check, blocks=48)
    print("%d cuts" % cuts)
    assert cuts > 100
