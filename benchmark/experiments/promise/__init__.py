"""Does each contender keep a promise, such as 99 % of the answers within 100 ms, under a load that changes?

plan.py                         objectives, the rate over time, and when each request is due
measure.py                      one contender after the other, in fresh processes, under the very same schedule
summarise.py, schema.py         record -> summary.json, and back to typed values
answers.py, figures.py, page.py   summary -> report.html
"""
