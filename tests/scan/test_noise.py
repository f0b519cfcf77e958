"""No checksum holds by chance: in installed packages, and in random text full of near misses.

CI looks through the installed packages and 128 MiB of random text; `make soak` through 10 GB.
"""

import sysconfig

from scan_planting import MIB, noise
from watchword.scan.content import Reader
from watchword.scan.encodings import Decoder
from watchword.scan.findings import Proof
from watchword.scan.looking import Look
from watchword.scan.tree import scan_tree

LOOK = Look(decoders=(Decoder(),))


def test_installed_packages_hold_none() -> None:
    packages = sysconfig.get_paths()["purelib"]
    found = list(scan_tree([packages], LOOK, jobs=2))
    assert [(one.place, one.fingerprint) for one in found if one.hit.proof is Proof.CHECKSUM] == []


def test_random_text_holds_none() -> None:
    reader = Reader(LOOK)
    shapes = 0
    for seed in range(32):
        for hit in reader.hits(noise(seed, 4 * MIB)):
            assert hit.proof is Proof.SHAPE, hit
            shapes += 1
    # The near misses were seen, and told apart.
    assert shapes > 1000
