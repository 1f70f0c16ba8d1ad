"""How real simulated places are: the same figures of simulated and of real sound, side by side."""
