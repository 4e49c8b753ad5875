"""The attention mechanism: A (normalised over the queries) and H (normalised over the keys).

`core` holds `attend`, the one function everything else is built from. Nothing of ours is imported here.
"""
