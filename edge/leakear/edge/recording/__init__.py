"""Recordings at an exact time, on command and in the night, to be compared with those of other nodes."""
