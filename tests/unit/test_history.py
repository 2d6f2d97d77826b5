"""Charge history: a row for every transaction, from its begin on, bounded, repaired from the journal."""

import os

from folder import fresh_folder
from harness import raises
from test_journal import Station

import firmware.store.history as history_module
from firmware.store.history import ROW_BYTES, History
from firmware.store.history_csv import csv
from firmware.store.wear import Wear


class Charge:
    """What the history wants to know of a transaction."""

    def __init__(self, number, token="TAG", connector=1):
        self.number = number
        self.connector_id = connector
        self.token = token
        self.begin_t = 1_800_000_000
        self.end_t = None
        self.begin_wh = 1000
        self.wh = 1000
        self.reason = None

    def end(self):
        self.end_t = 1_800_003_600
        self.wh = 8000
        self.reason = "local"
        return self


def new(path=None):
    path = path or fresh_folder() + "/history"
    history = History(path)
    history.path = path
    return history


def whole(history, number, token="TAG"):
    charge = Charge(number, token)
    history.began(charge)
    history.ended(charge.end())


def bytes_in(path):
    return sum([os.stat(path + "/" + name)[6] for name in os.listdir(path)])


def test_rows_survive_and_become_csv():
    history = new()
    whole(history, 7)
    whole(history, 8, '=SUM("A")')
    history.began(Charge(9))
    lines = list(csv(new(history.path)))
    assert lines[0].startswith("transaction,connector,token,")
    assert lines[1] == "7,1,TAG,2027-01-15T08:00:00Z,2027-01-15T09:00:00Z,1000,8000,7000,local\r\n"
    assert lines[2].split(",")[2] == '"\'=SUM(""A"")"'
    assert lines[3] == "9,1,TAG,2027-01-15T08:00:00Z,,1000,,,\r\n"  # it goes on
    assert [row.end_wh for row in history.rows()] == [8000, 8000, None]


def test_a_transaction_has_one_row_of_fixed_size_from_its_begin_on():
    history = new()
    charges = [Charge(number, "x" * number, connector) for connector, number in enumerate((3, 36, 40), 1)]
    for count, charge in enumerate(charges, 1):
        history.began(charge)
        assert bytes_in(history.path) == count * ROW_BYTES
    for charge in reversed(charges):
        history = new(history.path)
        history.ended(charge.end())
        assert bytes_in(history.path) == len(list(history.rows())) * ROW_BYTES == 3 * ROW_BYTES
    rows = list(new(history.path).rows())
    assert [row.number for row in rows] == [40, 36, 3] and [row.reason for row in rows] == ["local"] * 3
    assert [len(row.token) for row in rows] == [36, 36, 3]


def test_odd_values_have_a_row_too():
    history = new()
    charge = Charge(1, "\u00e9" * 30)
    charge.begin_wh = 1 << 40
    history.began(charge)
    (row,) = new(history.path).rows()
    assert (row.token, row.begin_wh) == ("\u00e9" * 18, 0xFFFFFFFF)


def test_at_least_2000_rows_and_not_without_bound():
    history = new()
    for number in range(1, 3001):
        history.ended(Charge(number, "x" * 20).end())
        if number % 500 == 0:
            history = new(history.path)
    rows = [row.number for row in new(history.path).rows()]
    assert rows[-1] == 3000 and 2000 <= len(rows) < 2400 and rows == list(range(rows[0], 3001))


def test_what_the_power_cut_took_comes_from_the_journal():
    station = Station()
    path = station.folder + "/history"
    new(path).repair(station.journal)
    first = station.session(connector=1, end=False)
    second = station.session(connector=2)
    for _ in range(2):  # once is enough
        new(path).repair(station.start())
        rows = {row.number: row for row in new(path).rows()}
        assert sorted(rows) == [first, second] and len(list(new(path).rows())) == 2
        assert rows[first].end_t is None and rows[second].end_wh is not None
    station.journal.end(first, 1, None, 2000, "power lost")  # the older one ends later
    new(path).repair(station.start())
    row = {row.number: row for row in new(path).rows()}[first]
    assert (row.token, row.begin_wh, row.end_wh, row.reason) == ("04A1B2C3", 1000, 2000, "power lost")


def test_a_row_that_the_journal_has_forgotten_stays_as_it_is():
    station = Station()
    path = station.folder + "/history"
    new(path).began(Charge(999))
    new(path).repair(station.start())
    assert [(row.number, row.end_t) for row in new(path).rows()] == [(999, None)]


def test_an_end_that_was_interrupted_can_be_repeated():
    """A row is there once, wherever the first call broke off."""
    for place in ("_append", "forget"):
        history = new()
        real = getattr(history, place)

        def interrupted(row, place=place, real=real, history=history):
            real(row)
            setattr(history, place, real)
            raise MemoryError("swept")

        whole(history, 1)
        setattr(history, place, interrupted)
        charge = Charge(2)
        history.began(charge)
        with raises(MemoryError):
            history.ended(charge.end())
        history.ended(charge)
        assert [row.number for row in new(history.path).rows()] == [1, 2] and not history.going_on, place


def test_a_row_that_a_power_cut_left_going_on_is_not_added_again():
    history = new()
    for number, connector in ((1, 1), (2, 2)):
        history.began(Charge(number, connector=connector))
    forget = history.forget
    history.forget = lambda row: None
    history.ended(Charge(1, connector=1).end())
    history.forget = forget
    history.ended(Charge(2, connector=2).end())
    history = new(history.path)
    assert list(history.going_on) == [1]
    history.repair(Station().journal)
    assert [row.number for row in history.rows()] == [1, 2] and not history.going_on


def test_a_row_whose_end_nobody_told_is_ended_from_the_journal():
    station = Station()
    tx = station.session(connector=1)
    history = new()
    history.began(Charge(tx, connector=1))
    history.settle(1, None, station.journal)
    assert [(row.number, row.reason) for row in history.rows()] == [(tx, "local")] and not history.going_on
    history.settle(1, None, station.journal)


def test_what_the_rows_cost_the_flash_is_counted():
    history, wear = new(), Wear()
    steps = [(lambda: history.began(Charge(1)), 0)]
    for rows in range(3):
        steps.append((lambda rows=rows: history.ended(Charge(rows + 1).end()), rows * ROW_BYTES))
    for step, before in steps:
        step()
        wear.wrote(ROW_BYTES, before)
        assert (history.wear.erases, history.wear.programmed) == (wear.erases, wear.programmed)
    assert wear.erases


def test_a_damaged_row_costs_itself_only():
    history = new()
    for number in range(1, 41):
        history.ended(Charge(number).end())
    history.began(Charge(50, connector=2))
    (file,) = [name for name in os.listdir(history.path) if name.endswith(".rows")]
    with open(history.path + "/" + file, "r+b") as f:
        f.seek(19 * ROW_BYTES + 30)
        f.write(b"?")
    with open(history.path + "/2.row", "r+b") as f:
        f.seek(30)
        f.write(b"?")
    history = new(history.path)
    assert [row.number for row in history.rows()] == [n for n in range(1, 41) if n != 20] and not history.going_on
    assert history.newest() == 40 and history.has(39) and not history.has(20) and not history.has(50)
    history.ended(Charge(41).end())
    assert history.newest() == 41 and new().newest() == 0


def test_a_flash_that_cannot_be_read_is_no_empty_history():
    history = new()
    history.ended(Charge(1).end())
    real = os.stat

    class Broken:
        listdir, remove, mkdir = os.listdir, os.remove, os.mkdir

        @staticmethod
        def stat(path):
            raise OSError(error, "broken")

    history_module.os = Broken
    try:
        for error in (5, 2):
            if error == 2:  # its first row is about to be written
                assert list(history.rows()) == []
                continue
            with raises(OSError):
                list(history.rows())
    finally:
        history_module.os = os
    assert os.stat is real and len(list(history.rows())) == 1


def test_256_rows_are_in_a_file_and_nine_files_are_kept():
    history = new()
    for number in range(1, 257):
        history.ended(Charge(number).end())
    assert len(os.listdir(history.path)) == 1
    history.ended(Charge(257).end())
    assert len(os.listdir(history.path)) == 2 and history.newest() == 257
    assert [row.number for row in new(history.path).rows()] == list(range(1, 258))


def test_a_repair_begins_no_row_twice_and_looks_at_the_two_newest_files():
    station = Station()
    tx = station.session(end=False)
    path = station.folder + "/history"
    history = new(path)
    history.repair(station.start())
    programmed = history.wear.programmed
    history.repair(station.journal)
    assert history.wear.programmed == programmed  # it is there
    station.journal.end(tx, 1, None, 2000, "PowerLoss")
    for number in range(1000, 1300):
        history.ended(Charge(number, connector=2).end())
    history = new(path)
    history.repair(station.start())
    assert [row.number for row in history.rows()].count(tx) == 1
    history.repair(station.journal)
    assert [row.number for row in history.rows()].count(tx) == 1


def test_words_that_a_spreadsheet_would_take_for_more_are_quoted():
    history = new()
    tokens = ("=1", "+1", "-1", "@1", "a,b", 'a"b', "a\nb", "a\rb", "a=b", "")
    for number, token in enumerate(tokens):
        history.ended(Charge(number + 1, token).end())
    lines = list(csv(history))[1:]
    assert [line.split(",", 2)[2].partition(",2027")[0] for line in lines] == [
        "'=1",
        "'+1",
        "'-1",
        "'@1",
        '"a,b"',
        '"a""b"',
        '"a\nb"',
        '"a\rb"',
        "a=b",
        "",
    ]
