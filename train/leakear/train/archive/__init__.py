"""Scores of archives: a row a recording in sharded Parquet, each recording exactly once, whatever stops a run."""
