"""The built-ins. Each room offers its descriptions through the same hooks as anybody's plugin."""
