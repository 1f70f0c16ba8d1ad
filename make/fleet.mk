.PHONY: test-fleet
test-fleet: system-packages $(DEV)/.ready ## 10 to 1,000 simulated nodes on one mosquitto (12 minutes): delivery, latency, broker load
	$(DEV)/bin/python -m bench.fleet

.PHONY: bench-city
bench-city: $(DEV)/.ready ## the page, its searches and its memory with 1,000, 10,000 and 100,000 nodes in a real browser (half an hour)
	make/system-packages mosquitto chromium chromium-driver
	$(DEV)/bin/python -m bench.city_page
