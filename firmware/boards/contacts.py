"""What an input of a connector may stand for."""

# The buttons, and the faults that the contact of a protective device tells.
CONTACTS = ("stop", "emergency", "rccb_tripped", "mcb_tripped", "breaker_tripped", "spd_tripped")
