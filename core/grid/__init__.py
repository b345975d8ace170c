"""Grids of generated samples: interpolation, calibration, and how far to believe them."""
