"""Attention Filter: reads everything you follow, ranks it for you, and shows why."""

__version__ = "0.1.0"
