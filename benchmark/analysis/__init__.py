"""Computes figures from a record: rates, percentiles, intervals, validity. Nothing here draws or measures."""
