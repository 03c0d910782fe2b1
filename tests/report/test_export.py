import csv

import pytest

from refold.report import export
from refold.report.cells import Cell, Row, Table, number


def written(folder, table):
    export.tables({"t": table}, folder)
    with open(folder / "t.csv", encoding="utf-8", newline="") as handle:
        return list(csv.reader(handle))


@pytest.mark.parametrize("name", ["=1+1", '=HYPERLINK("x")', "+ve", "-2+3|' /C calc'!A0", "@SUM(1)", "\tx"])
def test_a_name_that_looks_like_a_formula_is_text(name, tmp_path):
    table = Table(["Case", name], [Row([Cell(name), Cell("organ", small=name)])])
    assert written(tmp_path, table)[1:] == [["'" + name, "organ", "'" + name]]
    assert written(tmp_path, table)[0][:2] == ["Case", "'" + name]


def test_numbers_and_plain_names_stay_as_they_are(tmp_path):
    table = Table(["Method", "Difference"], [Row([Cell("u-net=2"), number(-0.5, 4, "-0.6000 to -0.4000")])])
    assert written(tmp_path, table)[1] == ["u-net=2", "-0.5000", "-0.6000 to -0.4000"]
