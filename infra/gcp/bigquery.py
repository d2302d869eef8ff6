"""The datasets of a stack."""

from __future__ import annotations

from components.gcp.bigquery import BigQuery, BigQueryArgs
from infra.gcp.composition import Composition
from infra.layout import dataset_location
from infra.naming import key_location


def bigquery(c: Composition) -> None:
    """Datasets with their tables and views, after the identities that may read or write them."""
    config = c.gcp.bigquery
    if config is None:
        return
    locations = {key: dataset_location(c.gcp, dataset) for key, dataset in config.datasets.items()}
    made = BigQuery(
        "bigquery",
        BigQueryArgs(
            config=config,
            project=c.gcp.project,
            locations=locations,
            dataset_ids=c.names.datasets,
            schemas=c.args.schemas,
            keys={key: c.keys[f"bigquery/{key_location(c.gcp.region, place)}"] for key, place in locations.items()},
            readers={key: c.members(dataset.readers) for key, dataset in config.datasets.items()},
            writers={key: c.members(dataset.writers) for key, dataset in config.datasets.items()},
            job_users=c.members(config.job_users),
            labels=c.labels,
            protect=c.protect,
            depends_on=c.needs("bigquery", "cloudresourcemanager"),
        ),
        c.opts,
    )
    # A grant on a dataset, for a pipeline that uses it, waits for all of this.
    c.grantable |= {f"projects/{c.gcp.project}/datasets/{name}": made for name in c.names.datasets.values()}
    c.outputs["datasets"] = dict(made.datasets)
    c.outputs["tables"] = dict(made.tables)
