"""Speed, memory and delivery as ratios against their comparison in one run."""
