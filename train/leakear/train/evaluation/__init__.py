"""Evaluation: cross-validation, baselines, figures with intervals, reports."""
