"""What must be run to keep a promise at a rate: from a recorded run and the queueing model that it calibrates.

source.py                       a recorded run -> what each contender's request costs
capacity.py                     that -> the rate that one pod carries within the promise (prediction's network)
choose.py                       that -> pods, what each asks for, what it costs: arithmetic only
scaling.py, outlook.py          pods over time: a start from nothing, a day, a region that fails (simulation)
predict.py                      all of it for all contenders, before anything is measured
plan.py, measure.py             write the prediction down; then, with --verify, measure what fits on this machine
verify.py                       the rates that were kept and broken -> a measured capacity
summarise.py, schema.py         record -> summary.json, and back to typed values
kubernetes.py                   summary -> a kustomize overlay for each contender
answers.py, figures.py, page.py   summary -> report.html
"""
