"""The one training loop (torch), and what it is used for."""
