"""Mutation testing: changes one place of the firmware at a time and looks whether a test notices."""
