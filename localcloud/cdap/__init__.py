"""The embedded cloud's CDAP: the REST API (v3) of a Data Fusion instance, over the world's SQLite.

Entry point: `localcloud.cdap.server.serve(world, instance, port=0, token=None)` serves one instance on a port of its
own (`Server.url` is what an instance's `apiEndpoint` stands for: paths go on with `/v3/...`). `instance` is any name,
or the id of a Data Fusion instance of the world (`projects/P/locations/R/instances/N`), whose edition and version then
hold. `localcloud serve` serves every instance of the world below `/datafusion/HOST/`, and `routes(world, url)` maps the
addresses of the instances and of datafusion.googleapis.com to that port.

Held to a real CDAP 6.11.0 by tests/cdap; docs/cdap.md has what differs, and why.
"""
