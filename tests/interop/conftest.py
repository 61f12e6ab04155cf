import pytest


@pytest.fixture(params=[("float32", 1e-5), ("float64", 1e-10)], ids=["float32", "float64"])
def precision(request):
    """A dtype and the largest relative difference to another library in it."""
    if request.param[0] == "float64":
        request.getfixturevalue("x64")
    return request.param
