"""Recordings and simulated sound as labelled windows, split by site."""
