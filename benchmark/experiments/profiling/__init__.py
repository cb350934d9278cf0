"""Experiment 1: where does one request spend its time? README.md says how it is asked and answered."""
