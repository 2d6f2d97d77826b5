"""Wishes of the layers above for a connector: energy, availability, locked plug, phases."""


class Wishes:
    """Plain attributes, read by the machine in each step:

    permitted         energy is allowed: authorised session that is not suspended
    available         False: state F as soon as the contactor is open
    hold_plug         keep the plug locked; None: not decided since power-on, the bolt stays where it is
    phases            1 or 3, else ValueError; switching takes a minute if the vehicle has had voltage
    wake_up           wake up a vehicle that does not draw the offered current
    ventilation       the room is ventilated: a vehicle in state D may charge
    max_imbalance_ma  largest difference of the phases' currents, mA; 0: no limit
    """

    def __init__(self, phases=3):
        self.permitted = False
        self.available = True
        self.hold_plug = None
        self.phases = phases
        self.wake_up = True
        self.ventilation = False
        self.max_imbalance_ma = 0

    @property
    def phases(self):
        return self._phases

    @phases.setter
    def phases(self, phases):
        if phases not in (1, 3):
            raise ValueError("one or three phases")
        self._phases = phases
