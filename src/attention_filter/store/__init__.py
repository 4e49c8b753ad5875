"""What is kept: sources, items, vectors, feedback, interests, rules, one database for several readers.

`store.py` is the front: `open_store(url, reader)` gives a `Store` whose every method is scoped to a reader.
Behind it, plain functions on a connection: `sources.py`, `items.py` (add and read entries; `matching.py`
decides which stored item an entry is), `batches.py` (arrays for the ranking), `vectors.py`, `search.py`
(full text), `feedback.py` and `readers.py` (interests, rules, state, deletion).
`accounts.py` keeps who may sign in, for all readers of the database; `secrets.py` the addresses that open one thing.
`schema.py` has the tables, `migrations/` how a database gets them, `sqlite.py` all that only SQLite knows,
`backup.py` backup and restore. Another engine needs its own twin of `sqlite.py` and `search.py`.
"""
