"""Judged alerts with their clips, for leakear-train."""
