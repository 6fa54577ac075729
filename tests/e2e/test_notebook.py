"""Work in JupyterLab: the demo, files that stay, and what a user may not write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Browsing


def output(cell: Locator, kind: str) -> Locator:
    """The outputs of a cell that have this MIME type."""
    return cell.locator(f'.jp-OutputArea-output[data-mime-type="{kind}"]')


ERROR = "application/vnd.jupyter.error"
STDOUT = "application/vnd.jupyter.stdout"


def test_the_demo_runs_and_shows_data_formula_and_plot(browsing: Browsing) -> None:
    reader = browsing.person("e2e-demo")
    reader.open_lab()
    reader.open_notebook("demo.ipynb")
    reader.menu("Run", "Run All Cells")
    cells = reader.notebook.locator(".jp-CodeCell")
    table = cells.nth(0).locator("table.dataframe")
    expect(table.locator("thead th")).to_have_text(["", "donor", "gene", "variant_allele_fraction"])
    expect(table.locator("tbody tr")).to_have_count(5)
    expect(output(cells.nth(1), STDOUT)).to_contain_text("variants in 60 donors; most often mutated:")
    plot = output(cells.nth(2), "image/png").locator("img")
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.naturalWidth") > 400
    formula = reader.notebook.locator("mjx-container[display=true]")
    expect(formula).to_be_visible()
    assert (formula.bounding_box() or {})["height"] > 20
    expect(output(reader.notebook, ERROR)).to_have_count(0)
    reader.wait_for_kernel()
    reader.keep_picture("notebook.png")


def test_files_stay(browsing: Browsing, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Kind regards from my own machine\n")
    writer = browsing.person("e2e-files")
    writer.open_lab()
    writer.upload(letter)

    writer.open_notebook("demo.ipynb")
    last = writer.notebook.locator(".jp-CodeCell .cm-content").last
    last.click()
    writer.page.keyboard.press("Control+End")
    writer.page.keyboard.insert_text("\n# changed by me")
    writer.save()
    downloaded = json.loads(Path(writer.download().path()).read_text())
    assert downloaded["nbformat"] == 4
    assert any("# changed by me" in "".join(cell["source"]) for cell in downloaded["cells"])

    writer.sign_out()
    writer.visit(f"{writer.path}/lab")
    again = browsing.person("e2e-files")
    again.open_lab()
    again.open_notebook("demo.ipynb")
    expect(again.notebook.get_by_text("# changed by me")).to_be_visible()

    again.restart_server()
    again.open_notebook("demo.ipynb")
    expect(again.notebook.get_by_text("# changed by me")).to_be_visible()
    again.file("letter.txt").dblclick()
    expect(again.page.locator(".jp-FileEditor:visible")).to_contain_text("Kind regards from my own machine")


@pytest.mark.parametrize("folder", ["/opt/science", "/data/example"])
def test_what_all_share_is_read_only(browsing: Browsing, folder: str) -> None:
    writer = browsing.person("e2e-readonly")
    writer.open_lab()
    writer.new_notebook()
    read = writer.run(f"import os\nprint(len(os.listdir('{folder}')) > 0)")
    expect(output(read, STDOUT)).to_have_text("True\n")
    written = writer.run(f"open('{folder}/mine.txt', 'w')")
    expect(output(written, ERROR)).to_contain_text(f"Read-only file system: '{folder}/mine.txt'")
