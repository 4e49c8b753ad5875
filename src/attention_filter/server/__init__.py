"""The web page: `create_app` wires it, `attention serve` runs it.

site          what every page shares: the store, the clock, the encoder, templates, the visitor's language and wishes
wall          what no page has to think about: proxies, host names, forged requests, body sizes, headers
access        who is asking: `visitor`, `owner`, `signed_in`; sessions and their cookie
accounts passkeys oidc    the ways in and the account page; passwords and limits are theirs
pages/        one file a page: arguments in, app calls out, a template shown
language      English and 中文, and room for more
templates/ static/    what a browser gets; no build step
"""
