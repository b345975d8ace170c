"""Jinja templates, styles and scripts, read as package data."""
