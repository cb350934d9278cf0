"""From a record to a report that explains it: figures, sentences and tables, and nothing else.

Nothing here measures, and nothing here computes a statistic: intervals, ratios and verdicts on
validity come from the record. What is computed is what drawing needs, such as a histogram.

record -> data.py (typed) -> verdict.py (sentences), figures.py (pictures), tables.py (rows)
       -> bench.py, which fills templates/bench.html.j2
"""
