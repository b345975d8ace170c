"""``python -m shiftlens``."""

import sys

if (
    not sys.flags.safe_path
):  # Python puts the current folder first: a random.py among the data would be taken for its own
    del sys.path[0]

from shiftlens.core.cli import main

if __name__ == "__main__":
    main()
