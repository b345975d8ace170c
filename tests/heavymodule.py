"""A module that does what a plugin's module must not: it imports a heavy library when it is loaded."""

import sklearn  # noqa: F401
