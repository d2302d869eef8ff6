"""The embedded cloud's BigQuery: its own REST API, and a client of Google's."""
