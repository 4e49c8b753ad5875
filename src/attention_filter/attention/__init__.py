"""The attention mechanism: A (normalised over the queries) and H (normalised over the keys).

`core` holds `attend`, the one function everything else is built from; `multihead` the module, `cache` its past.
`masks` and `positions` say who sees whom and where. `local`, `global_local`, `sparse`, `lsh`, `span`, `slots` and
`pooling` are the variants, over the tiles of `blockwise` and `kernels`. `inspect` and `draw` look inside.
Nothing of ours is imported here. See docs/attention.md.
"""
