DATA ?= ../shared/data

.PHONY: nodedays nights
nodedays: $(DEV)/.ready ## 30 simulated sites, three days each, through the factory model (about three hours on 2 cores; goes on where it stopped)
	$(DEV)/bin/leakear-train nodedays --out runs/nodedays --days 30 --before 2 --calibrate

nights: $(DEV)/.ready ## recorded rain, waves, engines and a tap, 20 minutes each, at 4 simulated sites
	$(DEV)/bin/leakear-train nodedays --out runs/nights --days 4 --nights $(DATA)/background --no-sweep
