.PHONY: bench

bench: system-packages $(DEV)/.ready ## the budget table: ours against librosa and the reference network, in one run
	$(DEV)/bin/python -m bench.budgets
