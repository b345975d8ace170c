"""The plugin host: hooks, descriptions, loading, listing, scaffolds."""
