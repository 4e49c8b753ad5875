"""The web page: `create_app` wires it, `attention serve` runs it.

site preferences language     what every page shares; a reader's wishes; English and 中文, and room for more
wall                          what no page has to think about: proxies, host names, forged requests, bodies, headers
access accounts passkeys oidc who is asking, and the ways in; `passwords` and `limits` are theirs
pages/                        one file a page: arguments in, app calls out, a template shown
pages/api                     the same for programs, who show a token: JSON in and out, no cookie
shelf table desk lanes        a reader's kept ranking, its selections, the lists of one request, their addresses
daily                         the page of the day beside that ranking, for pages/today
dress wording                 an item's text, safe and marked; terms, reasons and acts in the visitor's words
work worker                   what is done in the background: jobs in the database, done by one child process
progress live watch logs      how far it is, news for open pages, /healthz and /metrics, one line an event
letters post views undo       digests by mail, secret feeds, what can be put back
templates/ static/ locale/    what a browser gets; no build step
"""
