"""What brings the lost accuracy back, measured on samples that nothing else has seen (¶73)."""
