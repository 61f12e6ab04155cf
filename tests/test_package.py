import subprocess
import sys


def test_importing_the_package_needs_jax_alone_and_its_modules_come_when_used():
    program = """
import sys, rnn_jax
assert not {"flax", "optax", "orbax", "matplotlib", "tyro"} & set(sys.modules), "import rnn_jax is not light"
assert rnn_jax.nnx.Recurrent and rnn_jax.testing.assert_cell_contract and rnn_jax.models.LanguageModel
assert rnn_jax.data.CharTokenizer and rnn_jax.train.fit and callable(rnn_jax.unroll)
assert rnn_jax.interop.torch.from_torch and rnn_jax.interop.keras.from_keras and rnn_jax.interop.flax.from_nnx
assert "torch" not in sys.modules and "keras" not in sys.modules, "interop needs these when it is used"
assert "matplotlib" not in sys.modules and "tyro" not in sys.modules, "only experiments need these"
try:
    rnn_jax.lstm
except AttributeError as error:
    assert "'lstm'" in str(error)
else:
    raise SystemExit("an unknown attribute was found")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
