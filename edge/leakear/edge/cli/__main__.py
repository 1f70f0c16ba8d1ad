"""`python -m leakear.edge.cli`: the same as `leakear-edge`."""

import sys

from leakear.edge.cli import main

sys.exit(main())
