"""Two recorded runs, or two contenders, side by side: is the second one faster, slower, or is no difference shown?

side.py      what the user named -> a run and its contenders
figures.py   one contender's figures, each as its values by block
verdict.py   two sets of block values -> ratio, interval, verdict: pure functions
gate.py      the comparisons and a limit -> too slow, not too slow, or not to be told: pure functions
cli.py       the command
"""
