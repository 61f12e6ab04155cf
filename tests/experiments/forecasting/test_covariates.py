"""Columns that are known ahead, what a series is, and words: how they are read, scaled, and asked for."""

import dataclasses

import numpy as np
import pytest

from experiments.forecasting.covariates import Roles
from experiments.forecasting.data import own_series
from experiments.forecasting.panel import Panel
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.windows import Windows
from rnn_jax.data import DataError

STEPS, AHEAD, LATE = 40, 3, 12
ROLES = Roles(future=("price", "offer"), static=("kind", "size"))


def shop_rows(shop: str, begin: int = 0, more: int = AHEAD) -> list[str]:
    """A shop's rows: sales and visitors up to the last step, price and offer for some more."""
    number = "abc".index(shop)
    rows = []
    for t in range(begin, STEPS + more):
        day = np.datetime64("2024-01-01") + t
        sales, visitors = (f"{10 * number + t % 7}", f"{t * t % 11}") if t < STEPS else ("", "")
        offer = ("none", "half", "free")[t % 3 if t < 35 else 2]
        rows.append(f"{day},{shop},{sales},{visitors},{t % 5}.5,{offer},{'city' if number else 'road'},{number}")
    return rows


HEAD = "day,shop,sales,visitors,price,offer,kind,size"


def shops(path, rows: list[str] | None = None, roles: Roles = ROLES, **options) -> Panel:
    rows = rows if rows is not None else [*shop_rows("a"), *shop_rows("b", LATE), *shop_rows("c")]
    (path / "shops.csv").write_text("\n".join([HEAD, *rows]))
    return own_series(path / "shops.csv", "sales", by="shop", roles=roles, **options)


def test_columns_are_told_apart_by_what_is_known_of_them(tmp_path, capsys):
    panel, known = shops(tmp_path), shops(tmp_path).known
    assert panel.names == ["sales", "visitors"] and panel.inputs.shape == (3, STEPS, 2)
    assert (known.future_names, known.static_names) == (["price"], ["size"])
    assert known.categories == {"kind": ["city", "road"], "offer": ["free", "half", "none"]} and known.words_ahead == 1
    assert known.future.shape == (3, STEPS + AHEAD, 1) and known.static[:, 0].tolist() == [0, 1, 2]
    assert np.isnan(panel.target[1, :LATE]).all() and not np.isnan(panel.target[1, LATE:]).any()
    assert panel.later.astype("datetime64[D]").astype(str).tolist() == ["2024-02-10", "2024-02-11", "2024-02-12"]
    assert (panel.validation, panel.test) == (28, 32), "rows that are known ahead are no steps"
    assert "columns of words, which are embedded: kind 2, offer 3" in capsys.readouterr().err


def windows_of(panel: Panel, **options) -> Windows:
    return Windows(panel, Scaling.fit(panel, panel.validation), 6, AHEAD, ["week"], **options)


def test_a_step_reads_what_is_known_of_the_next_one(tmp_path):
    panel = shops(tmp_path)
    windows = windows_of(panel)
    assert windows.ahead and windows.layout.ahead == 1 and windows.layout.words_ahead == 1
    read = windows.read(np.array([[0, 20], [2, STEPS - 1]]))
    assert read["inputs"].shape == (6 + AHEAD - 1, 2, windows.layout.features)
    price = windows.scaling.future_shift[0, 0] + windows.scaling.future_factor[0, 0] * read["inputs"][:, 0, -3]
    np.testing.assert_allclose(price, [t % 5 + 0.5 for t in range(16, 24)], rtol=1e-5)
    offers, kinds = read["codes"][:, 0, 1], read["codes"][:, :, 0]
    assert offers.tolist() == [(3, 2, 1)[t % 3] for t in range(16, 24)]
    assert (kinds == kinds[0]).all() and kinds[0, 0] != kinds[0, 1]
    assert (read["codes"][-1, 1, 1] == 1) and read["codes"].dtype == np.int32


def test_what_comes_later_changes_nothing_but_what_is_known_ahead(tmp_path):
    """Of the target and of the past columns nothing after a window is read; of columns known ahead the next H steps."""
    panel = shops(tmp_path, roles=Roles(future=("price",)))
    known = panel.known
    assert panel.names == ["sales", "visitors", "size"] and list(known.categories) == ["offer", "kind"]
    inputs, words, future = panel.inputs.copy(), known.words.copy(), known.future.copy()
    inputs[:, 30:], words[:, 30:], future[:, 29 + AHEAD + 1 :] = 77, 1, 77
    covariates = dataclasses.replace(known, future=future, words=words)
    changed = dataclasses.replace(panel, inputs=inputs, target=inputs[..., 0], covariates=covariates)
    examples = np.array([[s, 29] for s in range(3)])
    ours, theirs = windows_of(panel), windows_of(changed)
    assert ours.scaling.to_json() == theirs.scaling.to_json()
    for name, array in ours.read(examples).items():
        np.testing.assert_array_equal(array, theirs.read(examples)[name])
    future[:, 29 + AHEAD] = 77
    assert (windows_of(changed).read(examples)["inputs"] != ours.read(examples)["inputs"]).any()


def test_words_are_known_from_the_training_part_alone(tmp_path):
    rows = [row.replace("half", "gift") if "2024-02" in row else row for row in shop_rows("a")]
    panel = shops(tmp_path, rows)
    scaling = Scaling.fit(panel, panel.validation)
    assert panel.known.categories["offer"] == ["free", "gift", "half", "none"]
    assert scaling.vocabulary == {"kind": ["road"], "offer": ["free", "half", "none"]}
    codes = panel.known.codes(scaling.vocabulary)[0, :, 1]
    assert codes[31:36].tolist() == [0 if (t % 3) == 1 else 1 if t % 3 == 2 else 3 for t in range(31, 35)] + [1]
    (note,) = panel.known.unknown_words(scaling.vocabulary)
    assert note.startswith("1 word of offer ('gift'; ") and note.endswith("not in the training part: taken as unknown")
    again = Scaling.from_json(scaling.to_json())
    assert again.vocabulary == scaling.vocabulary and again.future_shift.shape == scaling.future_shift.shape


def test_what_is_known_ahead_is_asked_for(tmp_path):
    rows = [*shop_rows("a"), *shop_rows("b", LATE, more=1), *shop_rows("c")]
    windows = windows_of(shops(tmp_path, rows))
    assert not windows.why_not(0) and not windows.why_not(2)
    said = "column 'price' of 'b' is not known at 2024-02-11: a forecast of 3 steps reads what is known ahead, up to"
    with pytest.raises(DataError, match=said):
        _ = windows.newest
    emptied = [row.replace(",free,", ",,") if "2024-02-12" in row else row for row in shop_rows("c")]
    with pytest.raises(DataError, match="column 'offer' of 'c' is not known at 2024-02-12"):
        _ = windows_of(shops(tmp_path, emptied)).newest
    assert windows_of(shops(tmp_path)).newest.tolist() == [[0, 39], [1, 39], [2, 39]]


def test_series_end_where_their_rows_end(tmp_path):
    rows = [*shop_rows("a")[: 30 + AHEAD], *shop_rows("c")]
    for i in range(30, 30 + AHEAD):  # of which the price alone is known
        day, shop, _, _, *known = rows[i].split(",")
        rows[i] = ",".join([day, shop, "", "", *known])
    panel = shops(tmp_path, rows)
    assert panel.last_steps.tolist() == [29, 39] and windows_of(panel).newest.tolist() == [[0, 29], [1, 39]]


def test_the_column_of_series_may_say_what_they_are(tmp_path):
    known = shops(tmp_path, roles=Roles(static=("shop",), future=("price",))).known
    assert known.categories["shop"] == ["a", "b", "c"]
    column = list(known.categories).index("shop")
    assert (known.words[..., column] == np.arange(3)[:, None]).all()
    digits = shops(tmp_path, roles=Roles(static=("size",), categorical=("size",))).known
    assert digits.categories["size"] == ["0", "1", "2"] and not digits.static_names


@pytest.mark.parametrize(
    ("roles", "change", "message"),
    [
        (Roles(future=("prize",)), None, "has no column 'prize': its columns are sales, visitors"),
        (Roles(future=("price",), static=("price",)), None, "column 'price' is named twice"),
        (Roles(static=("sales",)), None, "column 'sales' is named twice"),
        (Roles(static=("offer",)), None, "column 'offer' of 'a' is none and half: a static column has one value"),
        (Roles(), ("sales", "many"), "column 'sales' to forecast has words ('many'"),
        (Roles(), ("offer", "remark"), "column 'offer' has 115 different words in 115 rows, such as 'remark"),
        (Roles(), ("visitors", "half"), "column 'visitors': 'many' is no finite number"),
    ],
)
def test_columns_that_cannot_be_used_are_refused(tmp_path, roles, change, message):
    rows = [row.split(",") for row in [*shop_rows("a", more=0), *shop_rows("b", 5, more=0), *shop_rows("c", more=0)]]
    if change:
        column = HEAD.split(",").index(change[0])
        for i, row in enumerate(rows):
            row[column] = {"many": "many", "remark": f"remark {i}", "half": "many" if i % 2 else "5"}[change[1]]
    with pytest.raises(DataError) as raised:
        shops(tmp_path, [",".join(row) for row in rows], roles)
    assert message in str(raised.value)
    if change and change[0] == "offer":
        assert shops(tmp_path, [",".join(row) for row in rows], Roles(categorical=("offer",))).known.categories["offer"]


def test_a_row_of_other_values_after_the_end_is_pointed_at(tmp_path, capsys):
    shops(tmp_path, roles=Roles())
    said = capsys.readouterr().err
    assert "the last 3 rows of a series have no sales, but other values: if these are known ahead" in said
