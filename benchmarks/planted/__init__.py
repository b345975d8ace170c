"""The planted-cause benchmark: cases whose true cause is known. `python -m benchmarks.planted --help`."""
