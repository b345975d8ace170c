"""What shifted, what each change costs, and the verdicts."""
