"""Paths and their statuses. What every page, status and method must have in common is tried on all
of these."""

PAGES = [("/", 200), ("/pops/status", 200), ("/pops/nlams01", 200), ("/pops/uschi02", 200), ("/pops/dedus01", 200), ("/pops/evil66", 200),
         ("/nosuch", 404), ("/pops/nosuch", 404)]
OTHERS = [("/healthz", 200), ("/pops/status.json", 200), ("/static/style.css", 200), ("/static/favicon.svg", 200), ("/favicon.ico", 200), ("/pops", 308)]
