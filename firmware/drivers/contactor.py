"""Contactor: one coil for L1 and N, an optional second one for L2 and L3, each with an auxiliary (mirror) contact.

The auxiliary contacts follow the main contacts with a delay of about 50 ms and bounce; supervision must allow for that.
"""


class Contactor:
    """coil_l1, coil_l23 are machine.Pin outputs (1 = closed), aux_l1, aux_l23 inputs (1 = main contacts closed).

    `coil_l23` None: one coil switches all phases. An auxiliary contact that is not fitted is None.
    """

    def __init__(self, coil_l1, coil_l23=None, aux_l1=None, aux_l23=None):
        self._coil_l1 = coil_l1
        self._coil_l23 = coil_l23
        self._aux_l1 = aux_l1
        self._aux_l23 = aux_l23
        self._closed = False
        self._phases = 0

    @property
    def can_switch_phases(self):
        return self._coil_l23 is not None

    def drive(self, closed, phases=3):
        """Closes 1 or 3 phases, or opens."""
        self._closed = closed
        self._phases = phases if closed else 0
        l23 = 1 if self._phases == 3 else 0
        # The first coil switches the neutral: it closes before L2 and L3 and opens after them.
        if self._coil_l23 is None:
            self._coil_l1(1 if closed else 0)
        elif closed:
            self._coil_l1(1)
            self._coil_l23(l23)
        else:
            self._coil_l23(0)
            self._coil_l1(0)

    def is_closed(self):
        """Returns True or False, None without auxiliary contact.

        After a command to close, True means that all commanded phases have closed; after a command to open, False means
        that all phases have opened.
        """
        l1, l23 = _level(self._aux_l1), _level(self._aux_l23)  # no tuple: called 50 times a second
        if l1 is None or l23 is None:
            return l23 if l1 is None else l1
        if self._closed:
            return l1 and (l23 or self._phases == 1)
        return l1 or l23

    def contacts(self):
        """Returns the auxiliary contacts of (L1, L2/L3) as True, False or None for one that is not fitted."""
        return _level(self._aux_l1), _level(self._aux_l23)


def _level(pin):
    return None if pin is None else pin() == 1
