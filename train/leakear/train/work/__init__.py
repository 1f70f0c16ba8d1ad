"""Where long computations run: in processes of this machine, or on many machines by Dask. See `tasks`."""
