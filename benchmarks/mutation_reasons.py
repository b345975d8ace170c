"""Why some mutants may live: they change nothing that anybody could see. One reason for each name in the table."""

REASONS: dict[str, str] = {}
