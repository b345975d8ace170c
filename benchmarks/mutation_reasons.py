"""Why some mutants may live: they change nothing that anybody could see. One reason for each name in the table."""

REASONS: dict[str, str] = {
    "intervention_section.py, intervention_section: `max(1, len(first))` → `max(len(first), 1)`": "the same number",
    "calibration.py, calibrate: `np.clip(here, low, high)` → `np.clip(low, here, high)`": "the middle one of the three",
    "distance.py, units_of: `_noise(here, there, policy.splits, rng)` → `_noise(there, here, policy.splits, rng)`": (
        "a sum over both domains: other splits drawn by chance, the same on average"
    ),
    "estimates.py, Effects.value: `coalition - {CLASS_MIX}` → `(coalition)`": (
        "of the mix of classes no strength was fitted, so it has no error to add; where outcomes are looked up it fails"
    ),
    "conversion.py, factor_gaps: `np.isfinite([gap, now]).all` → `np.isfinite([gap, now]).any`": (
        "a factor that measures nothing on most samples is left out before"
    ),
    "fidelity.py, plain_realism: `real.mean` → `real.sum`": "of a threshold of 1e-9, below which rounding alone lies",
    "fidelity.py, axis_leak: `own - own.mean()` → `(own)`": "beside a column for each class it spans the same space",
}
