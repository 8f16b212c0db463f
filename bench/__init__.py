"""Benchmarks: `python -m bench` runs them, `bench/README.md` says how to add one."""
