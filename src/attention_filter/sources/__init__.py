"""Everything that comes in: addresses and files to clean `Entry` records; no database, no model.

fetch      the one HTTP client: conditional GET, redirects, limits of time and size, one request per host
guard      the network under it: resolves, refuses what is not public, connects to the checked address;
           answers: what a status, a header or a fault means
schedule   when a source is asked again (pure)
feeds      RSS, Atom, RDF and JSON Feed to entries; contained: the same in a child process with limits
clean      sanitised HTML, plain text, canonical addresses, hashes: how a raw entry becomes an `Entry`
web        feeds that a web page offers
opml       subscription lists in and out
files      a folder of text, Markdown and HTML; tables: JSONL and CSV with named columns
"""
