.PHONY: packages packages-deb apt-repository test-packages
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 315532800)
SUITES ?= bookworm trixie
ARCHS  ?= amd64 arm64

packages: packages-wheel packages-deb ## dist/: wheel, source archive and Debian packages; the same bytes each time

.PHONY: packages-wheel
packages-wheel: $(VENV)/lock/.ready ## dist/: wheel and source archive
	rm -f dist/*.whl dist/*.tar.gz  # dist/deb is made by others
	$(VENV)/lock/bin/python -m build --no-isolation --outdir dist .
	cd dist && sha256sum *.whl *.tar.gz | tee SHA256SUMS

# What they consist of goes beside them: the lists of `make sbom`, made again when a lock has changed.
SBOM := runs/sbom
$(SBOM)/edge.cdx.json: constraints/edge.lock constraints/dashboard.lock
	$(MAKE) sbom

packages-deb: $(DEMO)/.ready $(SBOM)/edge.cdx.json ## dist/deb: leakear-edge and leakear-dashboard for SUITES and ARCHS (XZ_LEVEL=0: quick and large)
	@make/system-packages debhelper
	rm -rf dist/deb
	$(DEMO)/bin/python packaging/build-deb $(SUITES:%=--suite %) $(ARCHS:%=--arch %) --out dist/deb
	for part in edge dashboard; do cp $(SBOM)/$$part.cdx.json dist/deb/leakear-$$part.cdx.json; done
	cd dist/deb && sha256sum *.deb *.cdx.json | tee SHA256SUMS

REPOSITORY ?= dist/apt
apt-repository: ## REPOSITORY (dist/apt): dist/deb as a signed apt repository; KEY: id or address of a secret key in gpg
	@make/system-packages reprepro gnupg
	packaging/apt-repository $(REPOSITORY) "$(KEY)" dist/deb/*.deb

test-packages: $(DEV)/.ready ## the Debian packages on real systemds, bookworm and trixie, and on aarch64 (root; builds what is not in dist/deb; half an hour)
	@make/system-packages debhelper reprepro gnupg systemd-container mmdebstrap qemu-user-static binfmt-support mosquitto
	$(if $(wildcard dist/deb/*.deb),LEAKEAR_DEB=$(abspath dist/deb)) $(DEV)/bin/python -m pytest tests/system/test_packages.py \
		tests/system/test_packages_built.py tests/system/test_upgrade_01.py -m slow -s

.PHONY: images test-images addons test-addons
images: export SBOM := $(SBOM)
images: $(SBOM)/edge.cdx.json ## dist/images: OCI images of the bookworm packages in dist/deb, for ARCHS (root; docker load or podman load)
	@make/system-packages mmdebstrap buildah qemu-user-static binfmt-support binutils-multiarch
	mkdir -p dist/images
	set -e; for part in edge dashboard; do for arch in $(ARCHS); do packaging/build-image $$part $$arch \
		dist/deb/leakear-$${part}_*+deb12_$$arch.deb dist/images/leakear-$$part-$$arch.tar; done; done

test-images: $(DEV)/.ready ## the images under podman, read-only and without root: a leak reaches a broker, the dashboard shows it (root)
	@make/system-packages debhelper mmdebstrap buildah podman mosquitto
	$(if $(wildcard dist/deb/*.deb),LEAKEAR_DEB=$(abspath dist/deb)) $(DEV)/bin/python -m pytest tests/system/test_images.py -m slow -s

REGISTRY ?= localhost
addons: ## dist/homeassistant: an add-on repository for Home Assistant, its images from dist/images; REGISTRY: where they will be (root)
	@make/system-packages buildah
	packaging/homeassistant/build $(REGISTRY) dist/images dist/homeassistant $(ARCHS)

test-addons: $(DEV)/.ready ## the add-ons' images under podman beside a made-up Supervisor: microphone by PulseAudio, alert through ingress (root)
	@make/system-packages debhelper mmdebstrap buildah podman mosquitto nginx-light pulseaudio pulseaudio-utils iproute2
	$(if $(wildcard dist/deb/*.deb),LEAKEAR_DEB=$(abspath dist/deb)) $(DEV)/bin/python -m pytest tests/system/test_addon_images.py -m slow -s

.PHONY: test-first-alert
WAYS ?= deb script wheel image
test-first-alert: $(DEV)/.ready ## docs/INSTALL.md typed in a bare Debian, WAYS on SUITES: to a first alert, and what is left after its removal (root; takes dist/deb and dist/images from the targets above)
	@make/system-packages debhelper dpkg-dev git mmdebstrap systemd-container
	[ -n "$(wildcard dist/leakear-*.whl)" ] || $(MAKE) packages-wheel
	$(DEV)/bin/python -m tests.system.first_alert $(WAYS:%=--way %) $(SUITES:%=--suite %)

.PHONY: test-power
POWER_MOMENTS ?= 20
test-power: $(DEV)/.ready ## a virtual machine's power cut at POWER_MOMENTS random moments of upgrades and changes of model: it listens again, no event is lost (root; 40 minutes)
	@make/system-packages debhelper mmdebstrap user-mode-linux qemu-system-x86 qemu-utils e2fsprogs iproute2 mosquitto
	[ -n "$(wildcard dist/deb/leakear-edge_*+deb12_amd64.deb)" ] || XZ_LEVEL=0 $(DEV)/bin/python packaging/build-deb --suite bookworm --arch amd64 --out dist/deb
	$(DEV)/bin/python -m tests.system.vm.power.power --moments $(POWER_MOMENTS) --deb dist/deb/leakear-edge_*+deb12_amd64.deb
