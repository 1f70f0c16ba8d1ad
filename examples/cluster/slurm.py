"""Start a Dask scheduler here and workers as SLURM jobs; it ends with Ctrl-C, and the jobs with it.

    python slurm.py --jobs 10 --processes 16 --partition compute        prints the scheduler's address
    leakear-train score /archive --out /shared/scores --scheduler tcp://...

Needs `pip install 'leakear[cluster]' dask-jobqueue` and the same Python environment on every machine (docs/CLUSTER.md).
"""

import argparse
import sys
import time

from dask_jobqueue import SLURMCluster


def main() -> None:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="SLURM jobs (2)")
    parser.add_argument("--processes", type=int, default=8, help="workers of each job, a core each (8)")
    parser.add_argument("--memory", default="16GB", help="memory of each job (16GB)")
    parser.add_argument("--walltime", default="12:00:00", help="longest time of a job; its tasks move on (12:00:00)")
    parser.add_argument("--partition", help="SLURM partition")
    parser.add_argument("--interface", help="network interface that the machines share, e.g. ib0")
    parser.add_argument("--render", action="store_true", help="print the job's script and end")
    args = parser.parse_args()
    cluster = SLURMCluster(
        cores=args.processes,
        processes=args.processes,  # one thread each: leakear refuses more
        memory=args.memory,
        walltime=args.walltime,
        queue=args.partition,
        interface=args.interface,
        python=sys.executable,
        job_name="leakear",
        scheduler_options={"dashboard_address": None},
    )
    with cluster:
        if args.render:
            print(cluster.job_script())
            return
        cluster.scale(jobs=args.jobs)
        print(cluster.scheduler_address, flush=True)
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
