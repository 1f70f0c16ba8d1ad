.PHONY: test-odd-recordings fuzz-recordings
test-odd-recordings: $(DEV)/.ready ## read or refuse a corpus of odd recordings by sox, flac, ffmpeg, arecord and others (3 minutes)
	@make/system-packages sox libsox-fmt-all flac ffmpeg alsa-utils
	$(DEV)/bin/python -m pytest tests/edge/audio/test_odd_recordings.py -m slow -p no:cacheprovider -q

fuzz-recordings: $(DEV)/.ready ## 20,000 mutated recordings: no traceback, no sound lost in silence (10 minutes)
	FUZZ=20000 $(DEV)/bin/python -m pytest tests/edge/audio/test_fuzz_recordings.py -m slow -p no:cacheprovider -q
