"""What the functions framework loads: one entry point for each function."""

from __future__ import annotations

from executors import bigquery, contract, dataflow, dataform, dataproc
from executors import intermediate as between


def intermediate(request: contract.Request) -> contract.Answer:
    """`orch-framework-intermediate`."""
    return between.handle(request)


def bq_saved_query_executor(request: contract.Request) -> contract.Answer:
    """`bq-saved-query-executor`."""
    return contract.answered(bigquery.run, bigquery.NAME, request)


def dataform_tag_executor(request: contract.Request) -> contract.Answer:
    """`dataform-tag-executor`."""
    return contract.answered(dataform.run, dataform.NAME, request)


def dataflow_flextemplate_job_executor(request: contract.Request) -> contract.Answer:
    """`dataflow-flextemplate-job-executor`."""
    return contract.answered(dataflow.run, dataflow.NAME, request)


def dataproc_serverless_job_executor(request: contract.Request) -> contract.Answer:
    """`dataproc-serverless-job-executor`."""
    return contract.answered(dataproc.run, dataproc.NAME, request)
