"""What docs/generate.py writes, one file per page."""
