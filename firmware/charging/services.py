"""What every part of the station works with."""

from collections import namedtuple

# clock     kernel.clock.Clock
# log       kernel.log.Log
# settings  store.settings.Settings
# journal   store.journal.Journal
# folder    directory for what must survive a restart besides; None: nothing does
Services = namedtuple("Services", ("clock", "log", "settings", "journal", "folder"))
