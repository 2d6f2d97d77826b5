"""The control socket of the simulated charger (docs/simulator.md): JSON lines over TCP."""
