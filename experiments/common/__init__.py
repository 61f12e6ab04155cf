"""What two applications share, and nothing else."""
