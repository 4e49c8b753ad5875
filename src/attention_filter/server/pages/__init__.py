"""The pages, one file each: a router whose routes take arguments in, call the filter, and show a template."""
