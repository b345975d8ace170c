"""Settings: read, checked, and written for new data."""
