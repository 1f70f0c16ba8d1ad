.PHONY: test-fleet
test-fleet: system-packages $(DEV)/.ready ## 10 to 1,000 simulated nodes on one mosquitto (12 minutes): delivery, latency, broker load
	$(DEV)/bin/python -m bench.fleet
