"""Built-in factors."""
