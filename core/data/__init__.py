"""Domains, labels and scores: what is analysed."""
