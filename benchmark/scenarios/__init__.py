"""Scenarios: the requests sent to a contender, and how its answers are checked."""
