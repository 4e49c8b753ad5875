"""The web page: `create_app` wires it, `attention serve` runs it.

site          what every page shares: the store, the clock, the encoder, templates, the visitor's language and wishes
access        who is asking, and what no page has to think about: hosts, forgery, headers, limits
pages/        one file a page: arguments in, app calls out, a template shown
language      English and 中文, and room for more
templates/ static/    what a browser gets; no build step
"""
