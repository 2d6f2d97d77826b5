# Runs after boot.py on every power-on: the charging station, until it has to restart. No update ever replaces it.
import machine

from firmware import start

if start.run() == "soft":
    machine.soft_reset()
machine.reset()
