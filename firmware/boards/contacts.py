"""Names of the input contacts of a connector: stop button, emergency stop, protective devices."""

# Buttons, and the faults that the contacts of protective devices report.
CONTACTS = ("stop", "emergency", "rccb_tripped", "mcb_tripped", "breaker_tripped", "spd_tripped")
