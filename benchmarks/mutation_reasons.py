"""Why some mutants may live: they change nothing that anybody could see. One reason for each name in the table."""

REASONS: dict[str, str] = {
    "intervention_section.py, intervention_section: `max(1, len(first))` → `max(len(first), 1)`": "the same number",
    "fidelity.py, axis_leak: `own - own.mean()` → `(own)`": "beside a column for each class it spans the same space",
}
