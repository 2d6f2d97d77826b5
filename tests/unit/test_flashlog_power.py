# interpreters: micropython
"""flashlog on LittleFS: a power cut at every program and erase, and a full flash."""

from flash import files, format_flash, mounted, sweep
from flashlog import FlashLog
from harness import raises


def check_log(path, promises):
    log = FlashLog(path + "/log", segment_bytes=600)
    records = list(log.read())
    numbers = [record[0] for record in records]
    assert numbers == sorted(set(numbers))
    found = {seq: payload for seq, _, payload in records}
    for seq, payload in promises:
        assert found[seq] == payload
    for payload in found.values():
        assert payload == bytes([payload[0]]) * 40
    assert not log.damaged
    assert log.append(1, b"z" * 40) > max(numbers + [0])


def fill(path):
    log = FlashLog(path + "/log", segment_bytes=600)
    for i in range(25):
        log.append(1, bytes([i]) * 40)


def test_append_batch_and_rotation_survive_every_power_cut():
    def act(path, promise):
        log = FlashLog(path + "/log", segment_bytes=600)
        for i in range(100, 112):
            waiting = [(log.append(2, bytes([i]) * 40, durable=False), bytes([i]) * 40)]
            waiting.append((log.append(1, bytes([i]) * 40), bytes([i]) * 40))
            for record in waiting:
                promise(record)

    assert sweep(fill, act, check_log) > 50


def test_release_and_rewrite_survive_every_power_cut():
    def act(path, promise):
        log = FlashLog(path + "/log", segment_bytes=600)
        keep = [(r[0], r[2]) for r in log.read() if r[0] >= log.segments()[2]]
        for record in keep:
            if record[0] % 2:
                promise(record)
        log.rewrite(log.segments()[1], lambda seq, kind, payload: seq % 2)
        log.release(log.segments()[1])
        promise((log.append(1, b"\x77" * 40), b"\x77" * 40))

    assert sweep(fill, act, check_log) > 5


def test_a_rotation_on_demand_survives_every_power_cut():
    def act(path, promise):
        log = FlashLog(path + "/log", segment_bytes=600)
        promise((log.append(2, b"\x66" * 40), b"\x66" * 40))
        log.rotate()
        log.rotate()  # there is nothing more to begin
        assert log.segments()[-1] == log.next_seq
        promise((log.append(1, b"\x77" * 40), b"\x77" * 40))
        kept = log.next_seq - 1
        log.release(kept)
        assert [record[0] for record in log.read()] == [kept]

    def check(path, promises):
        check_log(path, promises[-1:])

    assert sweep(fill, act, check) > 5


def test_full_flash_is_reported_and_everything_before_it_kept():
    flash = format_flash(10)
    with mounted(flash) as path:
        log = FlashLog(path + "/log", segment_bytes=4000)
        kept = []
        with raises(OSError) as caught:
            while True:
                kept.append(log.append(1, b"x" * 500))
        assert caught.value.args[0] == 28
        assert [r[0] for r in log.read()] == kept and log.pending == 0
        with raises(OSError):
            log.append(1, b"x" * 500)
        assert [r[0] for r in FlashLog(path + "/log").read()] == kept
        log.release(log.segments()[2])
        again = log.append(1, b"again")
        assert again > kept[-1] and [r[0] for r in FlashLog(path + "/log").read()][-1] == again
        assert len(files(path + "/log")) < 10


def test_full_flash_keeps_what_waits():
    flash = format_flash(10)
    with mounted(flash) as path:
        log = FlashLog(path + "/log", segment_bytes=4000)
        with raises(OSError):
            while True:
                log.append(1, b"x" * 500)
        waiting = [log.append(2, b"w", durable=False) for _ in range(3)]
        with raises(OSError):
            log.append(1, b"x" * 500)
        assert [r[0] for r in log.read(waiting[0])] == waiting
        log.release(log.segments()[2])
        log.flush()
        assert [r[0] for r in FlashLog(path + "/log").read(waiting[0])] == waiting
