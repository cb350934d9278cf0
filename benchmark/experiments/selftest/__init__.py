"""Is the load generator telling the truth here?

plan.py                         which known services it is put in front of, and under which loads
others.py                       other generators: how they are started, and what they say
measure.py                      one trial after the other; the ceiling is looked for in two steps
truth.py                        what was really so: arithmetic on the known times
summarise.py, schema.py         record -> summary.json, and back to typed values
certify.py                      summary -> the certificate that other runs refer to
answers.py, figures.py, page.py   summary -> report.html
"""
