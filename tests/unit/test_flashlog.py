"""flashlog: order, durability, damage and room, over a plain directory."""

import os

import flashlog
from flashlog import MAX_PAYLOAD, FlashLog
from folder import fresh_folder
from harness import raises


def contents(log, seq=0):
    return [(seq, kind, bytes(payload)) for seq, kind, payload in log.read(seq)]


def newest_file(path):
    return path + "/" + max(os.listdir(path))


def damage(path, change):
    with open(path, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(change(data))


def test_records_come_back_in_order():
    path = fresh_folder() + "/log"
    log = FlashLog(path)
    assert [log.append(k, b"x" * k) for k in (1, 2, 200)] == [1, 2, 3]
    for reader in (log, FlashLog(path)):
        assert contents(reader) == [(1, 1, b"x"), (2, 2, b"xx"), (3, 200, b"x" * 200)]
        assert contents(reader, 3) == [(3, 200, b"x" * 200)]
        assert contents(reader, 4) == []


def test_waiting_records_are_readable_and_not_durable():
    path = fresh_folder() + "/log"
    log = FlashLog(path)
    log.append(1, b"a")
    log.append(2, b"b", durable=False)
    assert [r[0] for r in log.read()] == [1, 2] and log.pending == 1
    assert [r[0] for r in FlashLog(path).read()] == [1]
    log.append(3, b"c")  # takes along what waits
    assert [r[0] for r in FlashLog(path).read()] == [1, 2, 3] and log.pending == 0


def test_waiting_records_do_not_pile_up_in_ram():
    log = FlashLog(fresh_folder() + "/log")
    for _ in range(100):
        log.append(1, b"x" * 100, durable=False)
        assert log.pending < 50
    assert len(contents(log)) == 100


def test_a_file_that_cannot_be_written_is_left_behind():
    """A bad block under the newest segment: LittleFS refuses to append to that file for ever."""
    path = fresh_folder() + "/log"
    log = FlashLog(path)
    log.append(1, b"a")
    log.append(1, b"b", durable=False)

    def refuse(name, mode="r"):
        if mode == "ab":
            raise OSError(84)
        return open(name, mode)

    flashlog.open = refuse
    try:
        assert log.append(1, b"c") == 3
    finally:
        del flashlog.open
    for reader in (log, FlashLog(path)):
        assert [payload for _, _, payload in contents(reader)] == [b"a", b"b", b"c"]
        assert len(reader.segments()) == 2


def test_numbers_are_never_used_again():
    path = fresh_folder() + "/log"
    log = FlashLog(path)
    log.append(1, b"a")
    log.append(1, b"lost", durable=False)
    assert FlashLog(path, next_seq_floor=9).append(1, b"b") == 9
    log = FlashLog(path)
    log.skip_to(20)
    assert log.append(1, b"c") == 20 and FlashLog(path).append(1, b"d") == 21


def test_segments_rotate_and_go():
    path = fresh_folder() + "/log"
    log = FlashLog(path, segment_bytes=200)
    for i in range(30):
        log.append(1, b"%d" % i)
    assert len(os.listdir(path)) > 2 and log.segments()[0] == 1
    expected = contents(log)
    assert len(expected) == 30 and contents(FlashLog(path, segment_bytes=200)) == expected
    boundary = log.segments()[2]
    log.release(boundary - 1)
    assert log.segments()[1] == boundary
    log.release(boundary)
    assert contents(log) == [r for r in expected if r[0] >= boundary]
    log.release(1000)
    assert len(log.segments()) == 1 and log.append(1, b"x") == 31


def test_every_segment_begins_with_what_its_owner_wants_to_know():
    path = fresh_folder() + "/log"
    state = [b"first"]
    log = FlashLog(path, segment_bytes=100, opening=lambda: state[0])
    for i in range(10):
        state[0] = b"after %d" % i
        log.append(1, b"x" * 20)
    assert log.header(1) == (1, b"after 0")
    base, payload = log.header(5)
    assert base <= 5 and payload == b"after %d" % (base - 1)


def test_reading_goes_on_while_records_come_and_go():
    log = FlashLog(fresh_folder() + "/log", segment_bytes=300)
    for _ in range(50):
        log.append(1, b"x" * 10)
    seen = []
    for seq, _, _ in log.read():
        seen.append(seq)
        if seq % 10 == 0 and seq < 50:
            log.append(2, b"more", durable=False)
        if seq == 25:
            log.release(20)
            log.flush()
    assert seen == list(range(1, 55))


def test_torn_end_costs_only_the_torn_record():
    path = fresh_folder() + "/log"
    log = FlashLog(path)
    log.append(1, b"good")
    size = os.stat(newest_file(path))[6]
    log.append(1, b"torn" * 5)
    damage(newest_file(path), lambda data: data[: size + 15])
    log = FlashLog(path)
    assert log.damaged == {1} and contents(log) == [(1, 1, b"good")]
    assert log.append(2, b"next") > 2  # the number of the torn one is not used again
    assert [r[2] for r in contents(FlashLog(path))] == [b"good", b"next"]


def test_damage_in_the_middle_costs_no_later_record():
    path = fresh_folder() + "/log"
    log = FlashLog(path)
    for i in range(100):
        log.append(1, b"record %d" % i)
    damage(newest_file(path), lambda data: data[:500] + b"\xf1\x01\x00" + data[503:])
    left = contents(FlashLog(path))
    assert len(left) == 99 and left[-1] == (100, 1, b"record 99")


def test_empty_and_foreign_files_do_not_matter():
    path = fresh_folder() + "/log"
    FlashLog(path).append(1, b"a")
    for name in ("00000009.log", "readme.txt", "00000001.log.new", "notanumb.log"):
        with open(path + "/" + name, "wb"):
            pass
    log = FlashLog(path)
    assert log.append(1, b"b") == 9 and len(contents(log)) == 2  # 9 stood in the name of a file


def test_a_log_whose_only_file_is_empty_begins_anew():
    path = fresh_folder() + "/log"
    FlashLog(path).append(1, b"a")
    damage(newest_file(path), lambda data: b"")
    log = FlashLog(path)
    assert log.append(1, b"b") == 1 and contents(FlashLog(path)) == [(1, 1, b"b")]


def test_rewrite_drops_records_of_a_closed_segment():
    path = fresh_folder() + "/log"
    log = FlashLog(path, segment_bytes=400)
    for _ in range(40):
        log.append(1, b"x" * 10)
    first = log.segments()[0]
    size = log.size()
    list(log.read())
    won = log.rewrite(first, lambda seq, kind, payload: seq % 2)
    assert won > 0 and log.size() == size - won
    second = log.segments()[1]
    expected = [seq for seq in range(1, 41) if seq % 2 or seq >= second]
    assert [r[0] for r in log.read()] == expected == [r[0] for r in FlashLog(path).read()]
    with raises(ValueError):
        log.rewrite(log.segments()[-1], lambda *record: True)


def test_oversized_and_reserved_records_are_refused():
    log = FlashLog(fresh_folder() + "/log")
    with raises(ValueError):
        log.append(1, b"x" * (MAX_PAYLOAD + 1))
    with raises(ValueError):
        log.append(0, b"")
    assert log.append(255, b"x" * MAX_PAYLOAD) == 1 and contents(log) == [(1, 255, b"x" * MAX_PAYLOAD)]


def test_only_bytes_are_taken():
    """S4: a text was durable, and damaged."""
    path = fresh_folder() + "/log"
    log = FlashLog(path)
    for payload in ("text", "é", 5, None, ["a"], 1.5):
        for durable in (True, False):
            with raises(TypeError):
                log.append(1, payload, durable)
    for kind in ("1", 1.5, None):
        with raises(TypeError):
            log.append(kind, b"x")
    with raises(TypeError):
        flashlog.segment.encode(1, 1, "text")
    assert log.pending == 0 and log.next_seq == 1 and contents(log) == []
    buffer = bytearray(b"kept")
    log.append(1, buffer, durable=False)
    buffer[0] = 0
    log.append(1, memoryview(b"view"))
    assert contents(FlashLog(path)) == [(1, 1, b"kept"), (2, 1, b"view")] and not FlashLog(path).damaged


def test_a_head_that_is_no_bytes_stops_the_owner_and_loses_nothing():
    """S4, by the other door: `opening` gives the payload of a segment's head."""
    path = fresh_folder() + "/log"
    heads = ["text", b"head"]
    log = FlashLog(path, opening=lambda: heads.pop(0))
    with raises(TypeError):
        log.append(1, b"a")
    log.flush()
    assert contents(FlashLog(path)) == [(1, 1, b"a")]


def test_a_record_that_its_writer_could_not_count_is_there_once():
    path = fresh_folder()
    wrote = [MemoryError("swept")]
    log = FlashLog(path, wrote=lambda count, before: wrote and _raise(wrote.pop()))
    with raises(MemoryError):
        log.append(1, b"one")
    log.append(1, b"two")
    assert [item[2] for item in FlashLog(path).read()] == [b"one", b"two"]


def _raise(exc):
    raise exc


def test_a_file_that_could_not_be_read_once_is_read_again():
    path = fresh_folder()
    log = FlashLog(path)
    for payload in (b"one", b"two"):
        log.append(1, payload)
    log = FlashLog(path)
    real = flashlog.read_chunk
    errors = [OSError(5), OSError(5)]

    def read_chunk(*args):
        if errors:
            raise errors.pop()
        return real(*args)

    flashlog.read_chunk = read_chunk
    try:
        assert [item[2] for item in log.read()] == [b"one", b"two"] and not log.damaged
    finally:
        flashlog.read_chunk = real
