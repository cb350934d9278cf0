"""Experiment 4: how much of the difference comes from what."""
