"""Tasks on texts, each trained, evaluated, used, explained, saved and loaded in the same way.

examples.py   labelled texts from JSONL, CSV and TSV files
classify.py   Classifier: fit, predict, predict_proba, score, explain, save, load, as in scikit-learn
sentiment.py  Sentiment: a Classifier of feelings, with a polarity and how a text feels about one thing it names
calibration.py  logits to probabilities that come true, energies, figures
probe.py      a linear model on the frozen encoder's layers and the words: minutes to train
grams.py      what the very words say: TF-IDF of words and character n-grams, weighed by support vectors
trained.py    a Transformer with a pooled head: the encoder tuned, or a small one from scratch
heads.py      what the filter tells of every item: linear heads on the vector it has anyway
topics.py     the topics that come with the program (topics.tsv), and a reader's own
feelings.tsv  the sentences that sentiment knows before it is given any data; written for this project
"""
