"""The command line: arguments in, calls of `attention_filter.app` out.

program.py     the command `attention`, its global options and what an error looks like
session.py     what every command shares: the opened filter, progress, JSON, finding a source by its name
serve.py, accounts.py, sources.py, reading.py, feedback.py, profile.py, care.py, evaluate.py, demo.py, …    the commands
drawing.py, pages.py, tables.py    what a person sees
moments.py     "2d", "yesterday", "2026-11-20" as a moment
"""

from attention_filter.cli.program import main as main
