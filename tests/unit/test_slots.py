# interpreters: micropython
"""Slots and start, with boot.py, main.py and rescue.py as they are: the power goes at every program and erase."""

import json
import os

from flash import cuts, format_flash, mounted
from harness import raises
from starter import Board, Reset, application, first_flash, put

from firmware.maintenance.installation import Installation
from firmware.maintenance.slots import ApplicationSlots, SlotError

_BLOCKS = 64


def new_board():
    flash = format_flash(_BLOCKS)
    with mounted(flash) as path:
        first_flash(path)
    return Board(flash)


def install(slots, version, files=None):
    installation = Installation(slots)
    files = files or application(version)
    for name in files:
        if name != "manifest.json":
            with installation.write(name) as file:
                file.write(files[name])
    with installation.write_manifest() as file:
        file.write(files["manifest.json"])
    for _ in installation.complete():
        pass


def confirms(slot, version):
    ApplicationSlots(slot).confirm()
    return "soft"


def updates(slot, version):
    """Version 1 installs version 2; version 2 is good."""
    slots = ApplicationSlots(slot)
    slots.confirm()
    if version == "1":
        install(slots, "2")
        slots.try_next()
        return "hard"
    return "soft"


def fails(slot, version):
    """Version 1 installs version 2, unless that has failed before; version 2 raises an exception."""
    slots = ApplicationSlots(slot)
    if version == "2":
        raise ValueError("no good")
    slots.confirm()
    if slots.why:
        return "soft"
    install(slots, "2")
    slots.try_next()
    return "hard"


def hangs(slot, version):
    if version == "2":
        raise Reset("watchdog")
    return fails(slot, version)


def panics(slot, version):
    if version == "2":
        raise Reset("hard")  # nobody has asked for it
    return fails(slot, version)


def is_unwell(slot, version):
    if version == "2":
        ApplicationSlots(slot).give_back("task wifi is not alive")
        return "hard"
    return fails(slot, version)


def look(board):
    """Returns (state in slots.json or None, its size, records of crashes)."""
    with mounted(board.flash) as path:
        slots = ApplicationSlots("a", path)
        try:
            return json.load(open(path + "/slots.json")), os.stat(path + "/slots.json")[6], slots.crashes()
        except OSError:
            return None, 0, slots.crashes()


def run(board, behave, most=8):
    """Starts the board again and again until an application ends with "soft"; returns what ran, as slot + version."""
    ran = []
    cause = "power"
    for _ in range(most):
        application, cause = board.power_on(behave, cause)
        ran.append("".join(application) if application else None)
        if cause in ("soft", "console") or board.flash.off:
            break
    return ran


def test_an_update_runs_once_and_stays():
    board = new_board()
    assert run(board, updates) == ["a1", "b2"]
    assert look(board)[0] == {"active": "b", "boots": 1}
    assert run(board, confirms) == ["b2"]
    assert look(board)[:2] == ({"active": "b", "boots": 2}, len('{"active":"b","boots":2}'))
    assert board.machine.pins == {1: 1, 4: 0} and board.machine.timeouts == [30_000]


def test_a_version_that_fails_is_given_back_with_the_reason():
    for behave, why in (
        (fails, "ValueError: no good"),
        (hangs, "watchdog"),
        (panics, "panic"),
        (is_unwell, "task wifi is not alive"),
    ):
        board = new_board()
        ran = run(board, behave)
        assert [name for name in ran if name] == ["a1", "b2", "a1"], (ran, why)
        state, size, crashes = look(board)
        assert state == {"active": "a", "boots": 2, "why": "2: " + why} and size <= 128
        if behave is not is_unwell:
            (crash,) = crashes
            assert (crash["slot"], crash["version"], crash["why"]) == ("b", "2", why)
        assert run(board, updates) == ["a1", "b2"], "it can be tried again"
        assert look(board)[0] == {"active": "b", "boots": 1}


def test_slots_json_never_has_more_than_128_bytes():
    board = new_board()
    longest = {"active": "a", "tries": 998, "boots": 99_998, "crashes": 1, "ms": 500_000, "why": "x" * 40, "begun": 1}
    with mounted(board.flash) as path:
        put(path, {"slots.json": json.dumps(longest).encode()})

    def fails_too(slot, version):
        raise ValueError("no good")

    board.power_on(fails_too)
    state, size, _ = look(board)
    assert state["boots"] == 99_999 and state["crashes"] == 2 and size < 120

    def is_unwell(slot, version):
        ApplicationSlots(slot).give_back("task connection was restarted, and so on and so on")
        return "hard"

    with mounted(board.flash) as path:
        put(path + "/b", application("2"))
        put(path, {"slots.json": json.dumps({"active": "a", "trial": "b", "boots": 99_999}).encode()})
    board.power_on(is_unwell)
    state, size, _ = look(board)
    assert state["why"] == "2: task connection was restarted, and so" and size < 120


def test_a_version_that_is_never_confirmed_is_given_back_after_three_starts():
    board = new_board()

    def starts(slot, version):
        if version == "2":
            raise Reset("power")
        return fails(slot, version)

    assert run(board, starts) == ["a1", "b2", "b2", "b2", "a1"]
    assert look(board)[0]["why"] == "2: not confirmed"


def test_a_restart_on_purpose_and_an_interruption_are_no_failures():
    board = new_board()
    board.power_on(updates)

    def resets(slot, version):
        return "hard"

    def interrupted(slot, version):
        raise KeyboardInterrupt

    for _ in range(5):
        assert board.power_on(resets, "hard") == (("b", "2"), "hard")
        assert board.power_on(interrupted, "hard") == (("b", "2"), "interrupt")
        assert board.machine.timeouts[-1] == 3_600_000, "time for whoever has interrupted"
    assert board.power_on(confirms, "watchdog") == (("b", "2"), "soft"), "an hour at the console"


def test_a_power_cut_is_no_failure_whatever_follows():
    board = new_board()
    board.power_on(updates)

    def cut(slot, version):
        raise Reset("power")

    def interrupted(slot, version):
        raise KeyboardInterrupt

    assert board.power_on(cut, "hard")[0] == ("b", "2")
    assert board.power_on(interrupted, "power") == (("b", "2"), "interrupt")
    assert board.power_on(confirms, "hard") == (("b", "2"), "soft"), "a reset by whoever has interrupted"
    assert look(board)[0] == {"active": "b", "boots": 2}


def test_an_interrupted_trial_is_not_the_last_good_version_that_is_overwritten():
    board = new_board()
    board.power_on(updates)

    def installs(slot, version):
        with raises(SlotError):
            install(ApplicationSlots(slot), "3")
        with raises(SlotError):
            ApplicationSlots(slot).try_next()
        return "soft"

    assert board.power_on(installs, "hard")[0] == ("b", "2")


def test_safe_mode_after_the_third_failure_tries_once_more_at_each_reset():
    cause = {"watchdog": "watchdog", "panic": "hard"}
    for why in ("ZeroDivisionError: divide by zero", "watchdog", "panic"):
        board = new_board()

        def behave(slot, version, why=why):
            if why[0] == "Z":
                1 / 0  # noqa: B018
            raise Reset(cause[why])

        ran = run(board, behave, 9)
        assert ran == ["a1", "a1", "a1", None], why
        state, _, crashes = look(board)
        assert state["crashes"] == 2 and [crash["why"] for crash in crashes] == [why] * 3
        assert [crash["failures"] for crash in crashes] == [1, 2, 3]
        assert board.machine.timeouts == [30_000, 3_600_000]
        assert board.machine.pins == {1: 1, 4: 0}
        assert run(board, behave, 9) == ["a1", None]
        assert len(look(board)[2]) == 4, "the oldest records go"
        assert run(board, confirms) == ["a1"]
        assert "crashes" not in look(board)[0]


def test_failures_that_are_far_apart_are_no_row():
    board = new_board()

    def behave(slot, version):
        board.clock.now += 300_000
        raise OSError(5)

    assert run(board, behave, 12) == ["a1"] * 12
    (crash,) = look(board)[2][-1:]
    assert crash["ran_ms"] == 300_000 and crash["cause"] == "reset" and "test_slots" in crash["trace"]
    assert len(crash["trace"]) < 800 and crash["heap_free"] > 1_000


def test_what_is_not_complete_does_not_run():
    board = new_board()

    def installs(slot, version):
        slots = ApplicationSlots(slot)
        for name, change, reason in (
            ("firmware/start.py", b"", "another size"),
            ("firmware/version.py", b"VERSION = '3'\n", "wrong hash"),
            ("lib/general.py", None, "missing"),
            ("manifest.json", application("2")["manifest.json"][:-5], "manifest is damaged"),
            ("manifest.json", b"", "manifest is damaged"),
        ):
            files = application("2")
            if change is None:
                del files[name]
                os.remove("/b/" + name)
            else:
                files[name] = change
            with raises(SlotError) as caught:
                install(slots, "2", files)
            assert reason in str(caught.value)
            assert slots.version("b") is None
            with raises(SlotError):
                slots.try_next()
        put("/b", {"firmware/old.py": b"1", "lib/gone/__init__.py": b"2", "lib/gone/deep/x.py": b"3"})
        install(slots, "2")
        assert sorted(os.listdir("/b/firmware")) == ["start.py", "version.py"]
        assert os.listdir("/b/lib") == ["general.py"]
        assert slots.version("b") == "2"
        return "soft"

    assert board.power_on(installs) == (("a", "1"), "soft")


def test_a_board_without_slots_json_or_with_nonsense_in_it_starts_what_is_complete():
    nonsense = b'{"active": 7, "trial": [], "tries": "x"}'
    for text in (None, b"", b"[]", b'{"active": "b"}', nonsense, b'{"crashes": "x"}', b'{"active": "a"', b"\xff"):
        board = new_board()
        if text is not None:
            with mounted(board.flash) as path:
                put(path, {"slots.json": text})
        assert run(board, confirms) == ["a1"], text
        assert look(board)[0] == {"active": "a", "boots": 1}, text
    board = new_board()
    with mounted(board.flash) as path:
        put(path + "/b", application("2"))
        os.remove(path + "/a/manifest.json")
    assert run(board, confirms) == ["b2"]


def check_data(path):
    with open(path + "/data/settings.a", "rb") as file:
        assert file.read() == b"kept" * 100
    with open(path + "/data/journal/1", "rb") as file:
        assert file.read() == b"record" * 100


def prepare(path):
    """Slot b holds an older version, which has the names of the newer one's files."""
    first_flash(path)
    put(path + "/b", application("0"))


def check_slots(path):
    """A slot with a manifest holds exactly the version of the manifest."""
    for slot in ("a", "b"):
        version = ApplicationSlots("a", path).version(slot)
        for name, content in application(version).items() if version else ():
            with open("%s/%s/%s" % (path, slot, name), "rb") as file:
                assert file.read() == content, (slot, version, name)


def sweep(behave, finished, behave_afterwards):
    """Cuts the power at each write of a story from the first start to its end; returns the number of cuts.

    Afterwards the board is started, must run one whole version, and the story must come to its end.
    """
    count = 0
    for flash in cuts(prepare, _BLOCKS):
        run(Board(flash), behave)
        count += flash.off
        board = Board(flash.restarted())
        with mounted(board.flash) as path:
            check_data(path)
            check_slots(path)
        ran = run(board, behave_afterwards)
        if ran == [None]:
            ran = run(board, behave_afterwards)  # out of safe mode
        assert ran[0] in ("a1", "b2") or behave is not updates, ran
        assert finished(ran[-1], look(board)[0]), (ran, look(board))
        with mounted(board.flash) as path:
            check_data(path)
            assert os.stat(path + "/slots.json")[6] <= 128
    return count


def test_a_power_cut_at_any_write_of_an_update():
    def finished(ran, state):
        return ran == "b2" and state["active"] == "b" and "trial" not in state

    count = sweep(updates, finished, updates)
    assert count > 40, count


def test_a_power_cut_at_any_write_of_a_return():
    for behave, why in ((fails, "ValueError: no good"), (hangs, "watchdog"), (is_unwell, "task wifi is not alive")):

        def finished(ran, state, why=why):
            return ran == "a1" and state["active"] == "a" and "trial" not in state and state["why"] == "2: " + why

        count = sweep(behave, finished, behave)
        assert count > 40, count


def test_a_power_cut_at_any_write_of_starts_that_fail():
    def crashes(slot, version):
        raise ValueError("no good")

    def finished(ran, state):
        return ran == "a1" and state == {"active": "a", "boots": state["boots"]}

    count = sweep(crashes, finished, confirms)
    assert count > 10, count
