"""Experiment 4: where does the difference between two contenders come from?"""
