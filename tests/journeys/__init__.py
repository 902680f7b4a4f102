"""A second client of the sync protocol, written from the protocol page alone, and its journeys.
It knows no module of the server."""
