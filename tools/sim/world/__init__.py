"""The physical world around the simulated board: circuits, vehicle, devices on the UARTs, flash chip and time."""
