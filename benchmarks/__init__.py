"""What is measured, with the last tables; run from the checkout."""
