"""What an analysis says: results.json, the report's context, gates."""
