"""Experiment 3: where does each architecture break? Four examples of load, issued by Locust."""
