.PHONY: screenshots test-dashboard-load test-postgres
screenshots: system-packages $(DEV)/.ready ## pictures of the dashboard for the documents (a simulated fleet, a real browser)
	$(DEV)/bin/python tests/dashboard/screenshots.py

test-dashboard-load: system-packages $(DEV)/.ready ## 1,000 simulated nodes × 1 message a second × 10 minutes before a real page
	$(DEV)/bin/python tests/dashboard/load.py

test-postgres: $(DEV)/.ready ## the dashboard's history and Grafana's queries on a real PostgreSQL
	make/system-packages postgresql
	$(DEV)/bin/python -m pytest tests/dashboard -k "postgresql or grafana" -p no:cacheprovider
