"""One analysis in one directory: stages, resuming, progress."""
