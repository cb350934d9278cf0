"""Scenarios: what is asked of a contender, and what a right answer is."""
