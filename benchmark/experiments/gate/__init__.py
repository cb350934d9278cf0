"""Is one version of a service worse than another by more than allowed? For CI.

plan.py                    which figures, how much worse each may become, and how long it may take
measure.py                 pairs of blocks in fresh processes, until every figure is decided
judge.py                   the figures of each pair, and what the looks at them decide
summarise.py, schema.py    record -> summary.json, and back to typed values
answers.py, figures.py, page.py   summary -> report.html
ci.py                      summary -> junit.xml, summary.md and annotations
"""
