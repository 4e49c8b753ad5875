"""The demo: eight invented feeds and the loopback server they are read from.

feeds/      the feed files, written for this project; Jinja templates only for their dates
server.py   feeds(now) renders them; serve(now) serves them on 127.0.0.1 for as long as the `with` lasts
"""
