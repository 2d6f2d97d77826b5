"""The long soak, by hand: `make soak`, or `micropython tests/soak.py DAYS CUTS SEED` with tests/unit and lib on the path."""

import asyncio
import sys

from test_soak import soak

asyncio.run(soak(*[int(word) for word in sys.argv[1:]]))
