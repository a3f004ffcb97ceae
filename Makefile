# Everything that is done in a checkout: `make help` lists it.
# Without INVENTORY the embedded fleet is started and used; with INVENTORY=path your own, and nothing is started.

SHELL := /bin/sh
bin := .venv/bin
fleet := tests/fleet/fleet
PYTEST_ARGS ?=

ifeq ($(strip $(INVENTORY)),)
inventory := inventory.example
demo := demo
inside := $(fleet) exec demo --
else
inventory := $(INVENTORY)
demo :=
inside := sh scripts/with-config '$(INVENTORY)'
endif

play = $(inside) $(bin)/ansible-playbook -i '$(inventory)' $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup demo doctor audit audit-as-of verify-evidence plan enforce undo probe prove probe-lab probe-compare report verify lint \
	test matrix test-unit test-differential test-booted test-fuzz test-faults test-faults-enforce mutants bench-report tools build galaxy down clean-fleet clean bench bench-table bench-profile bench-hop bench-scale

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  With INVENTORY=path the same on your own fleet; ARGS='--check --diff --limit ...' goes to Ansible."

setup: ## Make .venv with the pinned tools
	@sh scripts/bootstrap

demo: setup ## Start the embedded fleet
	@reason=$$($(fleet) check 2>&1) || { echo "$$reason -- to audit this machine itself:" \
		"make audit INVENTORY=localhost, ARGS='-c local -e telemetry_desired=disabled' (with -b where you are not root)" >&2; exit 1; }
	@$(fleet) up demo

audit: setup $(demo) ## Is telemetry as the policy wants it? Writes reports/audit.json; "Error 2", 3 or 4 where it is not
	@PATH="$$PWD/$(bin):$$PATH" $(inside) sh scripts/audit -i '$(inventory)' $(ARGS)

audit-as-of: setup ## What would the same evidence say on another day (AS_OF=2027-01-01)? Asks no host
	@$(bin)/ansible-playbook -i localhost, -e as_of='$(AS_OF)' $(ARGS) cbops.telemetry.replay

verify-evidence: setup ## Is the evidence as it was signed (SIGNERS=allowed_signers)? Asks no host
	@$(bin)/ansible-playbook -i localhost, -e allowed_signers='$(or $(SIGNERS),allowed_signers)' $(ARGS) \
		cbops.telemetry.verify_evidence

plan: setup $(demo) ## What would enforce edit and restart? Writes reports/plan.json and plan.md for review
	@$(play) cbops.telemetry.plan

enforce: setup $(demo) ## Put the flag where the policy wants it, restart where the policy allows it, audit
	@$(play) cbops.telemetry.enforce

undo: setup $(demo) ## Put back what a run edited (RUN=ID), where nobody has changed it since; restart where allowed, audit
	@$(play) -e run='$(RUN)' cbops.telemetry.undo

probe-lab: setup ## Every answer that the probe can give, produced for real (root)
	@$(bin)/python -m tests.probe_lab; result=$$?; $(fleet) down lab; exit $$result

probe-compare: setup ## The same cases asked of nc, curl, wait_for and blackbox_exporter; writes the table of docs/probe.md
	@$(bin)/python -m tests.probe_lab --compare; result=$$?; $(fleet) down lab; exit $$result

probe: setup $(demo) ## Can every host reach the telemetry endpoint?
	@ANSIBLE_DISPLAY_OK_HOSTS=true $(play) cbops.telemetry.probe

doctor: setup $(demo) ## How is each host reached, what would an audit miss there, what to write into host_vars?
	@$(play) cbops.telemetry.doctor

prove: setup $(demo) ## What would the next start really give? Starts each service once, where nothing is left of it
	@ANSIBLE_DISPLAY_OK_HOSTS=true $(play) cbops.telemetry.prove

report: setup ## The evidence of the last runs as reports/report.json and report.html, without any connection
	@sh scripts/with-config '$(inventory)' $(bin)/ansible-playbook -i '$(inventory)' $(ARGS) cbops.telemetry.report

verify: setup $(demo) ## A second opinion, by a testinfra suite that shares no code with the modules
	@$(inside) $(bin)/python -m pytest tests/testinfra --ansible-inventory='$(inventory)' $(ARGS)

lint: setup ## ruff, mypy, shellcheck, Galaxy's importer, ansible-lint, ansible-test sanity
	@sh scripts/lint

tools: setup
	@sh scripts/tools

test: setup tools ## Everything, `make lint` too; the last line is pytest's summary
	@sh scripts/foreign
	@$(bin)/python -m pytest --numprocesses 4 --no-loadscope-reorder tests/integration tests/hostile tests/booted \
		tests/faults_enforce tests/differential tests/faults tests/probe_lab tests/browser tests/foreign tests/unit \
		tests/testinfra/selftest tests/lint $(PYTEST_ARGS)

test-unit: setup ## The tests that need neither root nor a fleet
	@sh scripts/tools unit
	@$(bin)/python -m pytest --numprocesses auto tests/unit tests/testinfra/selftest $(PYTEST_ARGS)

matrix: setup ## Each ansible-core that is promised, a newcomer's commands in bare roots; writes docs/support.md (ONLY=2.16,bare-trixie WHOLE=1; root)
	@$(bin)/python -m tests.matrix --only '$(ONLY)' --whole '$(WHOLE)'; result=$$?; $(fleet) down test; exit $$result

test-differential: setup tools ## The engine against bash, dash and three systemds on N generated launch files (N=20000)
	@$(bin)/python -m tests.differential $(or $(N),20000)
	@$(fleet) up test
	@$(bin)/python -m tests.differential.units $$(( $(or $(N),20000) / 8 )); result=$$?; $(fleet) down test; exit $$result

test-booted: setup tools ## Collected and N generated launch configurations, started by booted systemds (N=1000 SEED=0; root)
	@$(bin)/python -m tests.booted $(or $(N),1000) $(or $(SEED),0)

test-fuzz: setup ## The parsers against N hostile files a test (N=20000)
	@CBOPS_FUZZ=$(or $(N),20000) $(bin)/python -m pytest tests/differential/test_parsers.py -q

test-faults: setup tools ## Kills and errors at every system call of a write, full and read-only disks, crowds (root)
	@CBOPS_FAULTS=all $(bin)/python -m pytest tests/faults -q

test-faults-enforce: setup tools ## Enforce disturbed N times at drawn steps, healed by the next run; goes on where it stopped (N=500 SEED=0; root)
	@$(bin)/python -m tests.faults_enforce $(or $(N),500) $(or $(SEED),0)

mutants: setup ## What the unit tests would see of N mutants of each room that decides (N=40 SEED=0 ROOM=edit,walk; root)
	@$(bin)/python -m tests.mutation $(or $(N),40) $(or $(SEED),0) $(if $(ROOM),--room '$(ROOM)')

bench: setup ## Audits beside other ways to do them, on N loopback hosts (N=32 ONLY=ssh,pipe ROUNDS=5 KINDS=cold)
	@$(bin)/python -m tests.bench run --hosts '$(N)' --only '$(ONLY)' --rounds $(or $(ROUNDS),5) --kinds '$(KINDS)'

bench-table: setup ## The figures of `make bench` into docs/benchmarks.md
	@$(bin)/python -m tests.bench table --write

bench-profile: setup ## Where the control node's CPU goes (N=100 ONLY=pipe,sweep)
	@$(bin)/python -m tests.bench profile --hosts $(or $(N),100) $(if $(ONLY),--only '$(ONLY)')

bench-hop: setup ## The sweep behind a jump host: runs, hosts that are lost, time beside that without it, memory (N=100 RUNS=50)
	@$(bin)/python -m tests.bench hop --hosts $(or $(N),100) --runs $(or $(RUNS),50)

bench-scale: setup ## Runs on 32 to 1,000 loopback hosts beside the model of docs/scale.md, and its tables (ONLY=sweep HOSTS=100 LATENCIES=0.05)
	@$(bin)/python -m tests.bench scale --only '$(or $(ONLY),sweep,pipe)' --hosts '$(HOSTS)' --latencies '$(or $(LATENCIES),0.05)'
	@$(bin)/python -m tests.bench scale-table

bench-report: setup ## Time and memory of a report on N hosts in all formats (N=10000)
	@$(bin)/python -m tests.bench.report $(or $(N),10000)

build: setup ## The collection as an artifact, in .build/
	@sh scripts/build .build

galaxy: setup ## The artifact at galaxy-importer's, ansible-builder's and ansible-runner's (minutes)
	@sh scripts/galaxy

.PHONY: docs
docs: setup ## The documentation site, in .build/docs/html; a warning or a link that leads nowhere is a failure
	@sh scripts/docs

down: ## End the embedded fleets
	@for profile in demo test lab gitops hostile odd booted faults; do $(fleet) down $$profile; done

clean-fleet: ## End the embedded fleets and remove their cache
	@$(fleet) clean

clean: down ## Remove what was made in this checkout
	@rm -rf .venv .build .fleet .ansible reports
