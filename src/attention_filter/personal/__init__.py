"""The personal ranking: arrays in, arrays out. No model, store or network is seen here.

`features` turns vectors and word counts into what is compared; `feedback` weighs what a reader did and said;
`ranking` scores; `explain` says which past items and words carried a score; `diversity` folds stories and
varies the list; `rules` are the reader's own; `evaluate` measures a ranking against simpler ones.
"""
