"""What a node that knew its place perfectly could find: the rise of the best two neighbouring third octaves at night.

    python -m bench.oracle_rises [SITES]

Worked out from the simulator's spectra without any sound: leak against everything that never stops at that site, no
noise of measurement, no weather, the night's level as it was drawn. Simulated sites 2000000 and up.
"""

import sys

import numpy as np

from leakear.edge.background.third_octaves import CENTRES_HZ
from leakear.train.simulator.render import Spectra
from leakear.train.simulator.site import Site

LIMITS_DB = (1.0, 2.0, 3.0)
SNR_DB = ((-10, -5), (-5, 0), (0, 5), (5, 30))


def best_pair(spectra: Spectra, snr_db: float, lowest_hz: float = 160.0) -> float:
    """Return the dB by which two neighbouring third octaves both rise."""
    leak = spectra.leak * 10 ** (snr_db / 10)
    rises = []
    for hz in CENTRES_HZ[0.9 * lowest_hz < CENTRES_HZ]:
        band = (spectra.f >= hz * 2 ** (-1 / 6)) & (spectra.f < hz * 2 ** (1 / 6))
        rises.append(10 * np.log10(1 + leak[band].sum() / spectra.stationary[band].sum()))
    return float(np.minimum(rises[:-1], rises[1:]).max())


def main() -> None:
    """Print the share of leaks above each limit."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    rng = np.random.default_rng(0)
    places = [Spectra(Site.draw(2_000_000 + number)) for number in range(count)]
    print(f"{count} simulated sites; share of leaks whose best two third octaves rise at night by at least")
    print("in-band SNR     " + "".join(f"{limit:g} dB   " for limit in LIMITS_DB))
    for low, high in SNR_DB:
        rises = np.array([best_pair(place, rng.uniform(low, high)) for place in places])
        print(f"{low:3} to {high:3} dB   " + "".join(f"{np.mean(rises >= limit):4.0%}   " for limit in LIMITS_DB))


if __name__ == "__main__":
    main()
