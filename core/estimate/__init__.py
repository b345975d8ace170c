"""The accuracy on a target without labels: estimators that read predictions, and what changed source samples say."""
