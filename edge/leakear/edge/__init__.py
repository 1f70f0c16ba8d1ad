"""The node: what listens, scores, decides and delivers. It owns every definition that the other parts share."""

__version__ = "0.2.0"
