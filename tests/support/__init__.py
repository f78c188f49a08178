"""What the Python suites share: a private PostgreSQL, namespaces, daemons as processes, clients of our own. No wire code of the server's."""
