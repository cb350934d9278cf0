"""Two services, asked the same in blocks that alternate: which one answers sooner, and by how much?

sides.py                        who is compared: URLs, or rows of a contender.toml; how far away, and how much is polite
checking.py                     asks both before anything is measured, so that what cannot be measured ends in a line
plan.py                         how many requests, at one user, at a rate, and up to the peak
measure.py, duet.py             blocks in random order, or both at the same moment
summarise.py, schema.py         record -> summary.json, and back to typed values
answers.py, figures.py, page.py   summary -> report.html
"""
