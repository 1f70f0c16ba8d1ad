"""The workstation: recordings and simulated sound in, trained networks and honest figures out."""
