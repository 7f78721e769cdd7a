# Every command of this tree. `make` alone lists them.

.DEFAULT_GOAL := help
BIN := .venv/bin
AS_OWNER := tools/privilege.sh as_owner
C_SOURCES = $(wildcard bpf/*.c bpf/*.h tests/kernel/objects/*.c bench/objects/*.c tests/traffic/*.[ch])
ABI := src/connscope/kernel/_libbpf_abi.py

.PHONY: help
help: ## Lists the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Fills .venv with what connscope needs to run
	@tools/setup.sh

.PHONY: launch
launch: setup ## Shows the connections of this machine in the browser; ARGS="..." goes to connscope launch
	@tools/launch.sh launch $(ARGS)

.PHONY: test
test: ## Runs the tests; UNIT=1 only those that need no root; ARGS="..." goes to pytest
	@tools/setup.sh --dev
	@UNIT=$(UNIT) tools/run_tests.sh $(ARGS)

.PHONY: test-kernels
test-kernels: ## Runs the kernel tests on other kernels; KERNEL=6.12, TIER=netlink, ALL=1
	@tools/vmtest.sh $(if $(KERNEL),--kernel $(KERNEL)) $(if $(TIER),--tier $(TIER)) \
		$(if $(CONDITION),--condition "$(CONDITION)") $(if $(ALL),--all) $(ARGS)

.PHONY: shell-kernel
shell-kernel: ## Opens a shell in a virtual machine with another kernel: KERNEL=6.12
	@tools/vmtest.sh --shell --kernel $(or $(KERNEL),6.1)

.PHONY: check
check: ## Checks format, lint, types, floors, C format and generated code
	@tools/setup.sh --dev
	$(AS_OWNER) $(BIN)/ruff format --check .
	$(AS_OWNER) $(BIN)/ruff check .
	$(AS_OWNER) $(BIN)/mypy
	$(AS_OWNER) $(BIN)/lint-imports
	$(BIN)/clang-format --dry-run --Werror --style=file:bpf/.clang-format $(C_SOURCES)
	tools/check_abi.sh

.PHONY: format
format: ## Formats Python and C, and mends what lint can mend
	@tools/setup.sh --dev
	$(AS_OWNER) $(BIN)/ruff check --fix-only .
	$(AS_OWNER) $(BIN)/ruff format .
	$(AS_OWNER) $(BIN)/clang-format -i --style=file:bpf/.clang-format $(C_SOURCES)

.PHONY: bpf
bpf: ## Builds the BPF objects that are committed
	@tools/setup.sh --bpf
	@tools/build_bpf.sh

.PHONY: ui
ui: ## Builds the web UI that is committed
	@tools/setup.sh --dev
	@tools/ui.sh build

.PHONY: check-ui
check-ui: ## Checks types and unit tests of the web UI, and that it is built from ui/
	@tools/setup.sh --dev
	@tools/ui.sh check

.PHONY: test-ui
test-ui: ## Runs the browser tests of the web UI
	@tools/setup.sh --dev
	@tools/ui.sh test

.PHONY: abi
abi: ## Generates the declarations of libbpf
	@tools/setup.sh --dev
	$(AS_OWNER) $(BIN)/python -B tools/build_libbpf_abi.py

.PHONY: docs
docs: ## Generates docs/row.md, docs/configuration.md and docs/tiers.md
	@tools/setup.sh --dev
	$(AS_OWNER) $(BIN)/python -B tools/build_docs.py

.PHONY: lock
lock: ## Locks the newest packages that fit requirements/*.in
	$(AS_OWNER) tools/lock.sh

.PHONY: bench
bench: ## Compares connscope with other tools on the same work
	@tools/setup.sh --dev --bench
	@tools/privilege.sh as_root $(BIN)/python -B -m bench $(ARGS)

.PHONY: wheel
wheel: ## Builds dist/*.whl
	@tools/setup.sh --dev
	$(AS_OWNER) $(BIN)/hatchling build -t wheel

.PHONY: clean
clean: ## Removes everything that these commands made
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		ui/node_modules ui/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
