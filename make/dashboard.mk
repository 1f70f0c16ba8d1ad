.PHONY: screenshots pictures test-dashboard-load test-postgres
screenshots: system-packages $(DEV)/.ready ## pictures of the dashboard for the documents (a simulated fleet, a real browser)
	$(DEV)/bin/python -m tests.dashboard.screenshots

OUT ?= build/pictures
pictures: system-packages $(DEV)/.ready ## every page in light, dark, on a phone, in English and Portuguese, into OUT=folder; names what is wrong on them
	$(DEV)/bin/python -m tests.dashboard.pictures.take $(OUT)

test-dashboard-load: system-packages $(DEV)/.ready ## 1,000 simulated nodes × 1 message a second × 10 minutes before a real page
	$(DEV)/bin/python -m tests.dashboard.load

test-postgres: $(DEV)/.ready ## the dashboard's history and Grafana's queries on a real PostgreSQL
	make/system-packages postgresql
	$(DEV)/bin/python -m pytest tests/dashboard -k "postgresql or grafana" -p no:cacheprovider

GRAFANA ?= /var/cache/leakear/grafana

$(GRAFANA)/node_modules/@grafana/schema/package.json:
	mkdir -p $(GRAFANA)
	@command -v npm >/dev/null || make/system-packages npm
	npm install --no-audit --no-fund --silent --prefix $(GRAFANA) @grafana/schema@12 typescript@5

.PHONY: check-grafana
check-grafana: $(DEV)/.ready $(GRAFANA)/node_modules/@grafana/schema/package.json ## the Grafana dashboard against Grafana's own types (npm)
	$(DEV)/bin/python tests/dashboard/grafana_types.py $(GRAFANA)

.PHONY: test-attacks fuzz-dashboard
test-attacks: $(DEV)/.ready ## floods of connections, log-ins, answers and large events against the real dashboard; prints the figures
	make/system-packages mosquitto mosquitto-clients iproute2 nftables
	$(DEV)/bin/python -m pytest tests/dashboard/test_attacks.py -s -p no:cacheprovider --timeout 600

fuzz-dashboard: $(DEV)/.ready ## 10,000 damaged messages against the dashboard on SQLite and on PostgreSQL; prints the figures
	make/system-packages mosquitto postgresql
	$(DEV)/bin/python -m pytest tests/dashboard/test_fuzz.py -s -p no:cacheprovider --timeout 900

.PHONY: bench-locate-live
DRAWS ?= 8
bench-locate-live: $(DEV)/.ready ## leaks located by two daemons, a broker, the dashboard and its page (DRAWS=50: the acceptance)
	make/system-packages mosquitto chromium chromium-driver
	$(DEV)/bin/python -m bench.locate_live --draws $(DRAWS)
