"""Cross-validation, baselines, figures with confidence intervals, and reports."""
