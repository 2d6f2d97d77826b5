"""Charge history: a row for every transaction, from its begin on, bounded, repaired from the journal."""

import os

from folder import fresh_folder
from harness import raises
from test_journal import Station

from firmware.store.history import ROW_BYTES, History
from firmware.store.history_csv import csv


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
