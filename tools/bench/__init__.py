"""Benchmarks (`make bench`): heap, latency, flash wear and start time against their budgets."""
