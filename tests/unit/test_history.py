"""Charge history: a row for every ended transaction, bounded, repaired from the journal."""

from folder import fresh_folder
from test_journal import Station

from firmware.store.history import History


class Ended:
    def __init__(self, number, token="TAG"):
        self.number = number
        self.connector_id = 1
        self.token = token
        self.begin_t = 1_800_000_000
        self.end_t = 1_800_003_600
        self.begin_wh = 1000
        self.wh = 8000
        self.reason = "Local"


def test_rows_survive_and_become_csv():
    path = fresh_folder() + "/history"
    history = History(path)
    history.add(Ended(7))
    history.add(Ended(8, '=SUM("A")'))
    lines = list(History(path).csv())
    assert lines[0].startswith("transaction,connector,token,")
    assert lines[1] == "7,1,TAG,2027-01-15T08:00:00Z,2027-01-15T09:00:00Z,1000,8000,7000,Local\r\n"
    assert lines[2].split(",")[2] == '"\'=SUM(""A"")"'
    assert [row.end_wh for row in history.rows()] == [8000, 8000]


def test_at_least_2000_rows_and_not_without_bound():
    path = fresh_folder() + "/history"
    history = History(path)
    for number in range(1, 5001):
        history.add(Ended(number, "x" * 20))
    rows = [row.number for row in History(path).rows()]
    assert rows[-1] == 5000 and 2000 <= len(rows) < 4000 and rows == list(range(rows[0], 5001))


def test_a_row_that_the_power_cut_took_comes_from_the_journal():
    station = Station()
    path = station.folder + "/history"
    first = station.session(connector=1, end=False)
    second = station.session(connector=2)
    History(path).repair(station.start())
    History(path).repair(station.start())  # once is enough
    assert [row.number for row in History(path).rows()] == [second]
    station.journal.end(first, 1, None, 2000, "PowerLoss")  # the older one ends later
    History(path).repair(station.start())
    rows = list(History(path).rows())
    assert [row.number for row in rows] == [second, first]
    assert (rows[1].token, rows[1].begin_wh, rows[1].end_wh, rows[1].reason) == ("04A1B2C3", 1000, 2000, "PowerLoss")
