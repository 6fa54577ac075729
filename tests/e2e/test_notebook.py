"""Work in JupyterLab: the demo, files that stay, and what a user may not write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Browsing
from tests.e2e.person import unique


def output(cell: Locator, kind: str) -> Locator:
    """The outputs of a cell that have this MIME type."""
    return cell.locator(f'.jp-OutputArea-output[data-mime-type="{kind}"]')


# Where JupyterLab shows tracebacks, too.
STDERR = "application/vnd.jupyter.stderr"
STDOUT = "application/vnd.jupyter.stdout"
# Milliseconds: Scala starts a Java machine and Spark first.
A_JAVA_MACHINE = 120_000


def test_the_demo_runs_and_shows_data_formula_and_plot(browsing: Browsing) -> None:
    reader = browsing.person(unique("demo"), zoom=0.9)  # so that formula and plot fit into one picture
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
    expect(cells.last.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
    expect(output(reader.notebook, STDERR)).to_have_count(0)
    reader.save()
    reader.close_tab("Launcher")
    plot.evaluate("image => image.scrollIntoView({block: 'end'})")
    reader.keep_picture("notebook.png")


@pytest.mark.parametrize("name", ["demo-r.ipynb", "demo-scala.ipynb"])
def test_the_companions_run_to_their_end(browsing: Browsing, name: str) -> None:
    reader = browsing.person(unique(name.partition(".")[0]), zoom=0.9)
    reader.open_lab()
    reader.open_notebook(name)
    reader.menu("Run", "Run All Cells")
    cells = reader.notebook.locator(".jp-CodeCell")
    # A number stands before each cell that has run; those after a failed one stay without.
    expect(cells.last.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=A_JAVA_MACHINE)
    outputs = reader.notebook.locator(".jp-OutputArea-output").all_text_contents()
    assert not [text for text in outputs if re.search("Traceback|Error|Exception", text)], outputs
    reader.keep_picture(f"{name.partition('.')[0]}.png")


@pytest.mark.parametrize(
    ("kernel", "code", "answer"),
    [
        ("Python 3", "import pysam; print(6 * 7)", "42"),
        ("R", "library(GenomicRanges); cat(6 * 7)", "42"),
        ("Scala (Spark)", "println(spark.range(43).count - 1)", "42"),
    ],
)
def test_each_kernel_runs_a_new_notebook(browsing: Browsing, kernel: str, code: str, answer: str) -> None:
    writer = browsing.person(unique(f"kernel-{kernel[:2]}"))
    writer.open_lab()
    writer.new_notebook(kernel)
    expect(output(writer.run(code), STDOUT).last).to_contain_text(answer, timeout=A_JAVA_MACHINE)


def test_the_launcher_lists_all_packages(browsing: Browsing) -> None:
    reader = browsing.person(unique("packages"))
    reader.open_lab()
    reader.page.locator(".jp-LauncherCard").filter(has_text="Packages").click()
    table = reader.page.get_by_role("table")
    expect(table).to_contain_text("biopython")
    reader.page.get_by_role("searchbox").fill("deseq2")
    expect(table.get_by_role("cell", name="DESeq2", exact=True)).to_be_visible()
    # By its role: what does not match is hidden, not gone.
    expect(table.get_by_role("cell", name="biopython", exact=True)).to_have_count(0)
    reader.keep_picture("packages.png")


def test_files_stay(browsing: Browsing, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Kind regards from my own machine\n")
    writer = browsing.person(unique("files"))
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
    writer.fill_in_login()
    writer.in_lab()
    writer.open_notebook("demo.ipynb")
    expect(writer.notebook.get_by_text("# changed by me")).to_be_visible()

    writer.restart_server()
    writer.open_notebook("demo.ipynb")
    expect(writer.notebook.get_by_text("# changed by me")).to_be_visible()
    writer.file("letter.txt").dblclick()
    expect(writer.page.locator(".jp-FileEditor:visible")).to_contain_text("Kind regards from my own machine")


def test_what_all_share_is_read_only(browsing: Browsing) -> None:
    writer = browsing.person(unique("readonly"))
    writer.open_lab()
    writer.new_notebook()
    for folder in ("/opt/science", "/data/example"):
        read = writer.run(f"import os\nprint(len(os.listdir('{folder}')) > 0)")
        expect(output(read, STDOUT)).to_have_text("True\n")
        written = writer.run(f"open('{folder}/mine.txt', 'w')")
        expect(output(written, STDERR)).to_contain_text(f"Read-only file system: '{folder}/mine.txt'")
