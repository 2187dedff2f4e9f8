# `make demo` and `make test` install everything they need in .venv, from the package registry alone.
.POSIX:
.PHONY: bench profile demo demo-fleet docs pictures test coverage lint proof fuzz lock messages clean

PYTHON = python3
BIN = .venv/bin
# $(SAY) "English" "Portuguese": prints the one for the environment's locale.
SAY = say() { case "$${LC_ALL:-$${LC_MESSAGES:-$$LANG}}" in pt*) printf '%s\n' "$$2";; *) printf '%s\n' "$$1";; esac; }; say
STATE = .demo

demo: .venv/ready
	@rm -rf $(STATE)
	@for list in feira_abf_2026.xlsx erp_clientes.csv newsletter.csv; do \
	  echo; echo "\$$ rdimport run sample_data/$$list -m mappings/$${list%.*}.yaml --sandbox"; \
	  code=0; \
	  $(BIN)/rdimport run sample_data/$$list -m mappings/$${list%.*}.yaml --sandbox \
	    --state-dir $(STATE)/state --report-dir $(STATE)/reports || code=$$?; \
	  test $$code -le 1 || exit $$code; \
	done
	@echo; $(SAY) \
	  "Here the command is $(BIN)/rdimport: to type what you read above as it stands, first type" \
	  "Aqui o comando é $(BIN)/rdimport: para digitar o que leu acima como está, digite antes"
	@echo '  export PATH="$$PWD/$(BIN):$$PATH"'
	@$(SAY) "README.md says how to install it for good." "README.pt-BR.md diz como instalar de vez."

# Twelve accounts and three workers with one ledger in PostgreSQL; one worker is killed half-way.
demo-fleet: .venv/ready-dev
	@$(BIN)/python -m tests.fleet_demo

# Four workers more than cores, as some tests only wait. Tests that share a program or a fixture run in one
# worker. TEST_PATIENCE=5 for a slow machine. Tests write to memory if 6 GB of it are free; TMPDIR=/tmp uses
# the disk. If PYTHONDONTWRITEBYTECODE were set, each worker would compile pytest's plugins anew.
WORKERS = $$(($$(getconf _NPROCESSORS_ONLN) + 4))
test: .venv/ready-dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadgroup

# Branch coverage: 90 % of all, 95 % where a row could be lost or sent twice.
coverage: .venv/ready-dev
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadgroup --cov --cov-report=
	@for room in ledger delivery destination plan prepare; do \
	  echo "$$room:"; \
	  $(BIN)/python -m coverage report --include="rdimport/$$room/*" --fail-under=95 --format=total || exit 1; \
	done
	$(BIN)/python -m coverage report --fail-under=90 --skip-covered --sort=cover

# Compile the messages in rdimport/core/messages/locale for gettext.
messages: .venv/ready
	$(BIN)/python -m rdimport.core.messages.build

# The site, readable from site/index.html without a server: Portuguese, and English in site/en.
docs: .venv/ready-docs
	@rm -rf site
	$(BIN)/sphinx-build -q -W --keep-going -c docs -D language=pt_BR docs/pt site
	$(BIN)/sphinx-build -q -W --keep-going -c docs -D language=en docs site/en
	@$(SAY) "Open site/index.html" "Abra site/index.html"

# Remake the pictures of the tutorial with the installed Chromium; they are kept in docs/.
pictures: .venv/ready-dev
	$(BIN)/python docs/pictures.py

lint: .venv/ready-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy --platform darwin
	$(BIN)/python -m mypy --platform win32 --no-warn-unreachable
	$(BIN)/lint-imports

# Hundreds of seeded runs against an endpoint that misbehaves, with kills and resumes, and with machines
# that compete for a ledger in PostgreSQL; mutated statements; each property test with six times the
# examples. An hour or more. PROOF='--ledger postgres', '--seeds 20', '--parts mutants', '--resume'
PROOF =
proof: .venv/ready-dev
	$(BIN)/python -m tests.proof.whole $(PROOF)

# An hour of damaged lists, mappings, settings, answers and ledgers. FUZZ='--seconds 60 --seed 1'
FUZZ =
fuzz: .venv/ready-dev
	$(BIN)/python -m tests.fuzz $(FUZZ)

# Ratios to other ways to send and to check, within one run. BENCH='--rows 20000 --repeat 5' for more.
bench: .venv-bench/ready
	.venv-bench/user/bin/python benchmarks/bench.py --peers .venv-bench/peers/bin/python $(BENCH)

# Where the CPU time of a run goes.
profile: .venv-bench/ready
	.venv-bench/user/bin/python benchmarks/stages.py

# A user's packages, and in another environment those of the peers: pandera loads pandas and hypothesis
# if they are installed.
.venv-bench/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv-bench/user
	.venv-bench/user/bin/python -m pip install -q --require-hashes -r requirements.lock
	.venv-bench/user/bin/python -m pip install -q --no-deps --no-build-isolation -e .
	$(PYTHON) -m venv .venv-bench/peers
	.venv-bench/peers/bin/python -m pip install -q uv
	.venv-bench/peers/bin/uv pip install -q --python .venv-bench/peers/bin/python -e . --group bench
	@touch $@

.venv/ready: requirements.lock pyproject.toml
	@$(SAY) "Setting up once, 1 of 3: an environment of its own in .venv; some seconds." \
	  "Preparando, só desta vez, 1 de 3: um ambiente próprio em .venv; alguns segundos."
	@$(PYTHON) -m venv .venv
	@$(SAY) "Setting up once, 2 of 3: downloading and installing the packages of requirements.lock (polars \
	alone has some 50 MB) and checking their hashes; a minute or two, silent while all goes well." \
	  "Preparando, só desta vez, 2 de 3: baixar e instalar os pacotes de requirements.lock (só o polars \
	tem uns 50 MB) e conferir os hashes; um minuto ou dois, em silêncio se tudo vai bem."
	@$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	@$(SAY) "Setting up once, 3 of 3: rdimport itself, from this folder; some seconds." \
	  "Preparando, só desta vez, 3 de 3: o próprio rdimport, desta pasta; alguns segundos."
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@
	@$(SAY) "Set up." "Tudo pronto."

.venv/ready-dev: .venv/ready requirements-dev.lock
	@$(SAY) "Setting up the tests once: downloading and installing the packages of requirements-dev.lock (a \
	browser driver and a type checker among them); a minute or two, silent while all goes well." \
	  "Preparando os testes, só desta vez: baixar e instalar os pacotes de requirements-dev.lock (entre \
	eles um driver de navegador e um verificador de tipos); um minuto ou dois, em silêncio se tudo vai bem."
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.lock
	@touch $@
	@$(SAY) "Set up." "Tudo pronto."

.venv/ready-docs: .venv/ready requirements-docs.lock
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-docs.lock
	@touch $@

# Upgrade all dependencies, for every supported Python and system; names no index.
lock: .venv/ready-dev
	$(BIN)/python -m pip install -q uv
	for part in "requirements.lock --group build" "requirements-dev.lock --group dev" \
	  "requirements-docs.lock --group docs -c requirements.lock"; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --no-header \
	    --no-emit-index-url --no-annotate --python-version 3.11 pyproject.toml -o $$part || exit 1; \
	done
	sed -n '/^[a-z0-9].*==/s/ *\\$$//p' requirements.lock > constraints.txt  # for tools that read no hashes

clean:
	rm -rf .venv .venv-bench $(STATE) site docs/reference docs/pt/reference .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
