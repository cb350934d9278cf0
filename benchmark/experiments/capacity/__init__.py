"""What is the highest rate at which each contender keeps a promise, such as 99 % of the answers within 100 ms?

plan.py                         objectives, and how long which rates are tried
search.py, curve.py             which rate is tried next; the tries -> the capacity with its interval (no I/O)
observed.py                     the samples of a try -> how many requests missed each objective
measure.py                      tries in fresh processes, contenders by turns
summarise.py, schema.py         record -> summary.json, and back to typed values
answers.py, figures.py, page.py   summary -> report.html
comparable.py                   figures for `compare`
"""
