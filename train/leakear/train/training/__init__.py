"""Training: the loop, its checkpoints, and pretraining on simulated sites."""
