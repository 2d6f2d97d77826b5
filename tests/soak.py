"""The long soak, by hand: `micropython tests/soak.py DAYS CUTS SEED`, as `make soak` calls it."""

import asyncio
import sys

from test_soak import soak

asyncio.run(soak(*[int(word) for word in sys.argv[1:]]))
