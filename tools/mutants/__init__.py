"""Mutation testing (`make mutants`): changes one place of the firmware at a time and checks that a test fails."""
