.PHONY: packages
packages: $(DEV)/.ready ## dist/: wheel and source archive; the same bytes each time
	rm -rf dist
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 315532800)} \
		$(DEV)/bin/python -m build --no-isolation --outdir dist .
	cd dist && sha256sum *.whl *.tar.gz | tee SHA256SUMS
