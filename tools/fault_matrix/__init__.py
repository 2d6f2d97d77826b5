"""Fault matrix: every fault in every state over the simulated circuit, and the table of it in docs/fault_matrix.md."""
