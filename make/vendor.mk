make/js/node_modules/.package-lock.json: make/js/package-lock.json
	@command -v npm >/dev/null || make/system-packages npm
	npm ci --prefix make/js --silent

.PHONY: vendor check-js
vendor: make/js/node_modules/.package-lock.json ## copy the page's libraries from npm to dashboard/…/static/vendor (versions in make/js/package.json)
	$(PYTHON) make/js/vendor

check-js: ## lint and types of the page's JavaScript (node and npm; skipped where neither they nor apt-get are there)
	make/js/check
