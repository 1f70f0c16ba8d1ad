"""Data: recordings and simulated sound become labelled windows, split by site."""
