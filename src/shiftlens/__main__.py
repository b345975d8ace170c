"""``python -m shiftlens``."""

from shiftlens.core.cli import main

if __name__ == "__main__":
    main()
