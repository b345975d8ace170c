"""What plugin authors test with; see `shiftlens.core.testing`."""

from shiftlens.core.testing import *  # noqa: F403
from shiftlens.core.testing import __all__ as __all__
