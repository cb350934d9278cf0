"""The record of a run: a directory of raw data from which everything else can be computed again."""
