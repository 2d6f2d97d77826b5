"""Demonstration (`make run`): the firmware above a simulated board charges a car under a local central system."""
