"""Which way of serving helps against which trouble? Every strategy against its law, written down before the run.

law.py                  what a folder of strategies/ says: laws with their tolerance, loads, faults, pictures
discovery.py            finds the folders
observed.py, figure_kinds.py   the figures that a law may be about
plan.py, measure.py     who is asked what, in which order; what services say of themselves; kills
recorded.py             the laws in the manifest of a run, and back
summarise.py, schema.py record -> summary.json
answers.py, figures.py, page.py   summary -> report.html
"""
