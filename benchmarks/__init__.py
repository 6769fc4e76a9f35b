"""Benchmarks: run with `python -m benchmarks.NAME`; inputs are made with a fixed seed so that runs can be compared."""
