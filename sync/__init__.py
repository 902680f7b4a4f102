"""The sync protocol, version 1: what travels between tablets, communes and the province, and how it is folded.

Knows nothing of the server application, of births or of SQL.
"""
