"""Nights: what the quietest hours of a place say over weeks and months. Pure functions over arrays and text."""
