"""A transaction: who charges where since when, as everybody above the connector sees it."""


class Transaction:
    """One transaction, from its begin record in the journal to its end record.

    number        local transaction number, >= 1, never reused; the back-end's own number is the back-end face's affair
    connector_id  1..n
    token         id token that started it; parent: its group token or None
    begin_t, begin_wh   Unix seconds and register (Wh) at the begin; given as None when the meter could not be read, it
                  counts from 0
    wh            newest register value, Wh, never below begin_wh
    reservation   number of the reservation that it used up, or None
    profile       composite.Profile that came with the remote start, until it is installed; or None
    suspended     True while energy is withheld because the back-end refused the token
    info          free text for the status, for example "EV side disconnected"
    reason        None while it runs; then why it stops or stopped ("Local", "Remote", "EVDisconnected", ...)
    stop_token    id token that stopped it, None when nobody presented one
    """

    def __init__(self, number, connector_id, grant, begin_t, begin_ms, begin_wh):
        self.number = number
        self.connector_id = connector_id
        self.token = grant.token
        self.parent = grant.parent
        self.reservation = grant.reservation
        self.profile = grant.profile
        self.begin_t = begin_t
        self.begin_ms = begin_ms
        self.begin_wh = self.wh = begin_wh or 0
        self._begun_blind = begin_wh is None
        self.suspended = False
        self.info = ""
        self.reason = None
        self.stop_token = None
        self.stop_ms = None  # when the stop was asked for
        self.quiet_ms = None  # when the current was seen to have stopped after that
        self.allowance_wh = None  # register at which MaxEnergyOnInvalidId is used up
        self.end_t = None

    def beginning(self):
        """Returns the arguments of Journal.begin()."""
        wh = None if self._begun_blind else self.begin_wh
        return self.number, self.connector_id, self.token, wh, self.reservation, self.parent

    @property
    def stopping(self):
        """True from the decision to stop until the end record is written."""
        return self.reason is not None

    @property
    def end_wh(self):
        """The register for the end record; None if the meter never answered, so that begin and end say the same."""
        return None if self._begun_blind and not self.wh else self.wh

    def close(self, journal):
        """Writes the end record. Raises OSError when it could not be written; doing it again changes nothing."""
        end_t = journal.time_in(self.number)
        if end_t is not None:  # once the end is written, no time runs
            self.end_t = end_t
        journal.end(self.number, self.connector_id, self.stop_token, self.end_wh, self.reason)
        for begin in journal.transaction(self.number):
            self.begin_t = begin.t  # the clock may have been learned meanwhile
            break


class Grant:
    """An authorised user for whom no transaction runs yet.

    `floating`: the card was shown before any plug, so that the user may still choose among the connectors. `profile`:
    a composite.Profile for the transaction.
    """

    def __init__(self, token, parent=None, floating=False, reservation=None, profile=None):
        self.token = token
        self.parent = parent
        self.floating = floating
        self.reservation = reservation
        self.profile = profile
