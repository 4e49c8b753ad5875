"""Training on logs of what many readers were shown and clicked.

examples.py  a log as arrays: each impression sees only what was known before it
ranking.py   train_ranking: weights, attention, early stop, resume
"""
