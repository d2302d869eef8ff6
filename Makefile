# `make` alone prints what there is. Everything is set up by tools/setup.py, which needs Python 3.11 and nothing else.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := .venv/bin
STACK ?= dev
SAMPLES := pipelines/demo_pipeline_cloud_workflows.json pipelines/demo_pipeline_composer.json

.DEFAULT_GOAL := help
.PHONY: help setup up down cdap test test-fast check lint benchmark clean

help: ## this list
	@echo "data-platform: what make can do"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: ## uv, the Python environments and the Pulumi engine (nothing to do: under a second)
	@$(PYTHON) tools/setup.py --for test

up: ## bring the dev stack up in the embedded cloud and run the sample pipelines on both engines
	@$(PYTHON) tools/up.py $(STACK) $(SAMPLES)

down: ## destroy that stack and empty the embedded cloud
	@$(PYTHON) tools/setup.py --for up
	@$(BIN)/dp down $(STACK) --local

cdap: ## start a real CDAP to try pipelines on (Java 17, Maven); stop it with: dp datafusion sandbox down
	@$(PYTHON) tools/cdap/sandbox.py up

test: setup ## all tests
	@$(BIN)/pytest -n 2

test-fast: ## the tests that need neither the engine nor Airflow, and take no seconds each (under a minute)
	@$(PYTHON) tools/setup.py --for up
	@$(BIN)/pytest -n 2 -m "not engine and not airflow and not cdap and not fresh and not meaning and not slow and not spark"

lint: ## format, lint, types and import rules
	@$(PYTHON) tools/setup.py --for up
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test ## the definition of clean: lint and all tests

benchmark: ## times as ratios to a peer or a limit (docs/benchmarks.md); dag_parse.py, the long one, is run by itself
	@$(PYTHON) tools/setup.py --for up
	@$(BIN)/python benchmarks/preview.py
	@$(BIN)/python benchmarks/check.py
	@$(BIN)/python benchmarks/compile.py
	@$(BIN)/python -m benchmarks.fusion_push

clean: ## remove what set-up made in this checkout (the engine kept outside of it stays); make down first
	rm -rf .venv .venvs .dp .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
