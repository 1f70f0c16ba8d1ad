"""Replay: recordings through the daemon. `reel` reads them, `printer` shows what `outcome` says of them."""
