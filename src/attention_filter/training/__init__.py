"""Training: of tasks on labelled texts, and of the ranking on logs of what many readers were shown and clicked.

loop.py      fit: the loop under all tasks; warm-up and cosine, clipping, early stop
resume.py    what a training in progress keeps, so that it goes on after a kill
tracking.py  how it goes: JSON lines and TensorBoard, Weights & Biases when asked
examples.py  a log as arrays: each impression sees only what was known before it
ranking.py   train_ranking: weights, attention, early stop
"""
