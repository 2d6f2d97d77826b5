"""The version of this firmware, as the back-end, the portal and the image's manifest tell it."""

VERSION = "0.1.0"
