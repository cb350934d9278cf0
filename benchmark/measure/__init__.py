"""Measures contenders in trials: start fresh processes, check answers, apply load, sample CPU, record the result."""
