"""Names of the input contacts of a connector: stop button, emergency stop, protective devices."""

# The buttons, and the faults that the contact of a protective device tells.
CONTACTS = ("stop", "emergency", "rccb_tripped", "mcb_tripped", "breaker_tripped", "spd_tripped")
