# Everything a fresh machine needs is Python >= 3.11 with pip, and make.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
PYTEST_FLAGS ?= -n 2 --dist loadfile

.PHONY: train test test-optimised test-all lint benchmark report docs clean

train: $(VENV)/experiments.installed  ## train a language model on Shakespeare's works
	$(RUN) -m experiments.text_generation $(ARGS)

test: $(VENV)/test.installed  ## what guards behaviour, compiled in haste
	$(RUN) -m pytest $(PYTEST_FLAGS)

# What the compiler's care could break: loops and their masks, padding and bits. The rest compares equations.
AS_FOR_USERS = tests/unroll tests/native tests/models/test_classifier_padding.py tests/train/test_multi_seed.py

test-optimised: $(VENV)/test.installed  ## those that optimisation could break, compiled as for users
	RNN_JAX_TESTS="optimised $(WORDS)" $(RUN) -m pytest $(PYTEST_FLAGS) $(AS_FOR_USERS)

test-all: $(VENV)/test.installed  ## every last test, those that optimisation could break compiled as for users
	RNN_JAX_TESTS=all $(RUN) -m pytest $(PYTEST_FLAGS) $(AS_FOR_USERS:%=--ignore=%)
	$(MAKE) test-optimised WORDS=all

lint: $(VENV)/develop.installed  ## style, unused code, types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pyrefly check

benchmark: $(VENV)/experiments.installed $(VENV)/peers.installed  ## a short comparison with other libraries
	$(RUN) -m benchmarks.compare --short

# One stamp for each extra; it is written only when the installation went through.
$(VENV)/%.installed: pyproject.toml requirements.lock
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -c requirements.lock -e ".[$*]"
	touch $@

report: $(VENV)/experiments.installed  ## one page of all results, report/index.html; RUNS=runs STUDIES=studies: your own, too
	$(RUN) -m experiments.page $(if $(RUNS),--runs "$(RUNS)") $(if $(STUDIES),--studies "$(STUDIES)")

docs: $(VENV)/docs.installed  ## the documentation, docs/_build/html/index.html; runs the code of its pages
	$(RUN) -m sphinx -W --keep-going -j 2 $(DOCS_FLAGS) -b html docs docs/_build/html

clean:  ## remove the environment and caches, not the runs
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
