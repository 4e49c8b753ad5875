"""Tasks on texts, each trained, evaluated, used, explained, saved and loaded in the same way.

examples.py   labelled texts from JSONL, CSV and TSV files
classify.py   Classifier: fit, predict, predict_proba, score, explain, save, load, as in scikit-learn
probe.py      a linear model on the frozen encoder's vectors: seconds to train
trained.py    a Transformer with a pooled head: the encoder tuned, or a small one from scratch
"""
