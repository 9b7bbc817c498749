"""Benchmarks: ratios, measured side by side in one run. `make bench` runs them and writes README.md beside this."""
