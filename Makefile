# Watchword: the commands of the house. `make` alone prints this list.
.DEFAULT_GOAL := help
.PHONY: soak fuzz pictures ready help up test lint bench bench-quick claims tour golden debian

# uv from the machine, else one of our own in .tools: Python with venv and pip is all that is needed.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
RUN := $(UV) run --frozen
# Modules are compiled once and kept: an environment that forbids it costs every process seconds.
export PYTHONDONTWRITEBYTECODE :=

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv

ready: $(filter .tools/bin/uv,$(UV))
	@$(UV) sync --frozen --quiet

up: ready ## start a server and a local agent; data in watchword-data/
	$(RUN) watchword up --data watchword-data --credentials watchword-data/credentials.json

tour: ready ## the life of a token in one minute, on a scratch folder
	$(RUN) watchword tour

# What the tests need of Debian's packages; root installs it (and starts none of it), anybody else is told how.
debian:
	@missing=; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing=postgresql; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$$missing nginx-light"; \
	[ -z "$$missing" ] && exit 0; \
	[ "$$(id -u)" = 0 ] || { echo "the tests need: sudo apt-get install $$missing" >&2; exit 1; }; \
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; \
	apt-get install -y -qq $$missing >/dev/null 2>&1 || \
	{ apt-get update -qq && apt-get install -y -qq $$missing >/dev/null; }

# Each worker has a PostgreSQL and a Chromium of its own; they take work from each other when they have none.
test: ready debian ## all tests; installs what they need
	$(RUN) pytest --numprocesses auto --maxprocesses 4 --dist worksteal

lint: ready ## format, lint, types, layers
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports

bench: ready ## what the project promises, measured beside its peers (about 10 minutes)
	$(RUN) --group bench python bench/run.py

bench-quick: ready ## the same in a minute or two, small and not to be judged
	$(RUN) --group bench python bench/run.py --quick

claims: ready debian ## 100,000 claims by 32 workers under kills and pauses, on both databases
	$(RUN) python bench/claims.py

soak: ready ## no checksum holds by chance in 10 GB of packages and random text; every hidden value is found
	$(RUN) python bench/soak.py
	WATCHWORD_LONG=1 $(RUN) pytest tests/scan/test_recall.py

fuzz: ready ## damaged input for the scanner's parsers, a minute each
	@for target in engine encodings archives exceptions explain; do \
	$(RUN) python tests/scan_fuzzing.py $$target -max_total_time=60 || exit 1; done

pictures: ready debian ## take the documentation's pictures of the console anew
	PYTHONPATH=tests:. $(RUN) python tests/showcase.py

golden: ready ## write the golden files anew; read the difference before you commit it
	$(RUN) pytest --write-golden tests/golden tests/docs tests/authz/test_policy_matrix.py tests/authz/test_rest_routes.py tests/authz/test_graphql_fields.py tests/authz/test_web_routes.py tests/surfaces/test_rest_description.py tests/cli/test_cli_overview.py
