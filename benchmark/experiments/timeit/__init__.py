"""Experiment 2: how do n calls in a row add up, and what does one call cost?

plan.py                         which numbers of calls, how often, in which order
client.py                       one persistent connection, whose answers are checked after the clock has stopped
measure.py, repeats.py          measures; repeats.csv grows while it does
fit.py                          the line through the times, and its intervals: pure functions
summarise.py, schema.py         record -> summary.json, and back to typed values
answers.py, figures.py, page.py   summary -> report.html
"""
