DATA ?= ../shared/data

.PHONY: nodedays nights realdays
nodedays: $(DEV)/.ready ## 30 simulated sites, four days each, 10 s of every 120 s, through the factory model (a quarter of an hour on 2 cores; goes on where it stopped)
	$(DEV)/bin/leakear-train nodedays --out runs/nodedays --first-site 1000166 --days 30 --before 3 --step 120 --calibrate --no-sweep

nights: $(DEV)/.ready ## recorded rain, waves, engines and a tap, 20 minutes each, at 4 simulated sites
	$(DEV)/bin/leakear-train nodedays --out runs/nights --days 4 --nights $(DATA)/background --no-sweep

realdays: $(DEV)/.ready ## days strung from the recordings in DATA, 10 s of every 120 s, through the factory model (20 minutes on 2 cores; goes on where it stopped)
	$(DEV)/bin/leakear-train realdays $(DATA)/hk-noise-loggers $(DATA)/background --out runs/realdays --nodes 20 --before 3 --step 120 --no-sweep
