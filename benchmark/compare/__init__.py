"""Compares two recorded runs, or two contenders: is B faster, slower, or is there no significant difference?

run_pairs.py  opens the two runs, pairs their contenders, lists how the runs differ
figures.py    the figures of a contender, by block
verdict.py    ratio, interval and verdict of two sets of block values: pure functions
gate.py       --fail-if-slower: too slow, not too slow, or undecided: pure functions
cli.py        the command
"""
