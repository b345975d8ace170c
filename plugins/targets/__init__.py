"""Built-in targets: none so far. The folder `bundle` of a run is all that a server needs."""
