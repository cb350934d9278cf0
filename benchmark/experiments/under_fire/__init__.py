"""What does a service answer on a bad day? Faults under load, and three times as much load as it carries.

plan.py                 the troubles, and what the contract lets a service answer in each
measure.py              a trial for each trouble and contender; peak, then overload
observed.py             samples -> who was answered what, when
summarise.py, schema.py record -> summary.json
answers.py, figures.py, page.py   summary -> report.html
"""
