"""The stages of a run, one file each. Each reads files of the run directory and writes files of the run directory."""
