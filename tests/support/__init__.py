"""The one world of the Python tests: a private PostgreSQL, namespaces, the daemons as processes,
and clients of our own.

Clients and packets are written from the documents alone; nothing here shares code with the
product.
"""
