"""From a network to a quantised TFLite file: calibration set, quantising, what the file holds."""
