"""Write what PyTorch and Keras give for the parity cases, for machines where they are not installed.

pip install -c requirements.lock -e ".[peers]" && python tests/interop/write_golden.py
"""

import jax
import numpy as np

from tests.interop import parity, peer_keras, peer_torch


def main():
    jax.config.update("jax_enable_x64", True)
    parity.GOLDEN.mkdir(exist_ok=True)
    for peer in (peer_torch, peer_keras):
        vectors = {}
        for case in peer.CASES:
            vectors[case.name] = parity.flatten(peer.run(case, parity.draw(case, peer, "float64")))
        path = parity.GOLDEN / f"{peer.CASES[0].peer}.npz"
        np.savez(path, **vectors)
        print(f"{path}: {len(vectors)} cases, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
