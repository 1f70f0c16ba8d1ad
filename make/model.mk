DATA ?= ../shared/data

.PHONY: model
model: $(DEV)/.ready ## train, judge and convert the factory model from DATA (about 10 minutes)
	$(DEV)/bin/leakear-train factory $(DATA) -o edge/leakear/edge/model/factory.tflite --weights train/leakear/train/networks/factory.npz
