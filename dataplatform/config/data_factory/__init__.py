"""Exported Data Factories: reading the git layout of one, and finding what is wrong with it.

`folder.read_factory` reads, `lint.lint_factory` judges, `clusters.lint_cluster` judges a Databricks cluster file.
Everything is pure; compiling into what is deployed is `dataplatform.compile.data_factory`.
"""
