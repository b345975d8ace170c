"""The host and the analysis. Knows no plugin by name."""
