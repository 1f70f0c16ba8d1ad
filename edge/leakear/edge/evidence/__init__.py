"""Evidence: the sound clip and the picture of an alert."""

from leakear.edge.evidence.recorder import Evidence, EvidenceOptions

__all__ = ["Evidence", "EvidenceOptions"]
