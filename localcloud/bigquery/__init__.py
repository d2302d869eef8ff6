"""BigQuery's REST API v2 over the tables of a world, as far as pipelines and their tests need it.

Datasets and tables are the resources that programs made; their rows are kept here. Served: datasets and tables (get,
list), `tabledata` (list, insertAll), jobs of queries (insert, query, get, list, cancel, getQueryResults). A statement
is one of SELECT, INSERT, UPDATE, DELETE and TRUNCATE TABLE, run by SQLite in its dialect of SQL after names, strings
and types were translated; what it does not know is refused as an invalid query. Not served: loads, exports, copies,
scripts, DDL, legacy SQL.

Like the real service it looks for a dataset in the job's location only, and for a job outside of US and EU only where
the caller says the location.
"""
