"""`python -m leakear.train.cli`: the same as `leakear-train`."""

import sys

from leakear.train.cli import main

sys.exit(main())
