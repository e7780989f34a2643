"""JupyterLab in a page of the browser, seen and driven as a learner does."""

import time
from io import BytesIO

import numpy as np
from PIL import Image

PATIENCE = 120.0  # seconds for one thing to happen: a machine that tests is a busy one

WINDOW = {"width": 1280, "height": 900}  # pixels

PANEL = "jupyterapp.shell.currentWidget"
CELLS = f"{PANEL}.content.widgets"
IDLE = f"{PANEL}?.sessionContext?.session?.kernel?.status === 'idle'"

# one kernel at a time: memory
OPEN = """async (path) => {
  for (const panel of [...jupyterapp.shell.widgets("main")]) panel.dispose();
  await jupyterapp.serviceManager.sessions.shutdownAll();
  const panel = await jupyterapp.commands.execute("docmanager:open", {path});
  await panel.revealed;
  await panel.sessionContext.ready;
}"""
FIND = f"(text) => {CELLS}.findIndex((cell) => cell.model.sharedModel.source.includes(text))"
SELECT = f"""async (number) => {{
  const notebook = {PANEL}.content;
  notebook.activeCellIndex = number;
  notebook.mode = "command";
  await notebook.scrollToItem(number);
  notebook.activate();
}}"""
COUNT = f"(number) => {CELLS}[number].model.executionCount"
RAN = f"""([number, before]) => {{
  const {{executionCount, executionState}} = {CELLS}[number].model;
  return executionCount !== before && executionState === "idle" && {IDLE};
}}"""
ERRORS = f"""() => {CELLS}.flatMap((cell, number) =>
  (cell.outputArea?.model.toJSON() ?? []).filter((output) => output.output_type === "error")
    .map(({{ename, evalue}}) => `cell ${{number}}: ${{ename}}: ${{evalue}}`))"""
LAID_OUT = f"() => {CELLS}.every((cell) => !cell.isPlaceholder()) && {IDLE}"
HEIGHT = f"""() => {{
  const cells = {CELLS}.map((cell) => cell.node.getBoundingClientRect());
  return Math.ceil(cells.at(-1).bottom - cells[0].top);
}}"""
DECODED = "() => Promise.all([...document.images].map((image) => image.decode().catch(() => {})))"
FOLDS = f"{PANEL}.node.querySelectorAll('details')"
UNFOLD = f"() => {FOLDS}.forEach((fold) => {{ fold.open = true; }})"
# What is cut off or has to be scrolled sideways. A formula counts as one part: MathJax hides parts
# of its own.
OVERFLOWS = f"""() => {{
  const found = [], edge = {PANEL}.content.node.getBoundingClientRect().right;
  {CELLS}.forEach((cell, number) => {{
    const parts = cell.node.querySelectorAll(".jp-Cell-inputArea *, .jp-Cell-outputArea *");
    for (const part of parts) {{
      if (part.closest("mjx-container > *, .jp-Toolbar") || !part.checkVisibility()) continue;
      if (found.some(([, other]) => other.contains(part))) continue;
      const hidden = getComputedStyle(part).overflowX !== "visible"
        && part.scrollWidth > part.clientWidth + 1;
      if (hidden || part.getBoundingClientRect().right > edge) found.push([number, part]);
    }}
  }});
  return found.map(([number, part]) => `cell ${{number}}: ${{part.scrollWidth}} pixels in `
    + `${{part.clientWidth}}: ${{part.className}}: ${{part.textContent.trim().slice(0, 60)}}`);
}}"""


class Lab:
    """JupyterLab in ``page``. A cell is its number, counted from 0; `find` finds it."""

    def __init__(self, page):
        self.page = page
        page.set_default_timeout(1000 * PATIENCE)

    def open(self, stem):
        """Close what is open, kernels too, and open the notebook ``stem`` in a common window."""
        self.page.set_viewport_size(WINDOW)
        self.page.evaluate(OPEN, f"notebooks/{stem}.ipynb")
        self.wait_until_idle()

    def wait_until_idle(self):
        """Wait for the kernel of the notebook to have started, and to have nothing to do."""
        self.page.wait_for_function(f"window.jupyterapp && {IDLE}")

    def run_all(self):
        """Run all cells, and wait for the last."""
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_until_idle()

    def errors(self) -> list[str]:
        """The errors that stand below cells, each with the number of its cell."""
        return self.page.evaluate(ERRORS)

    def find(self, text) -> int:
        """The first cell whose source contains ``text``."""
        number = self.page.evaluate(FIND, text)
        assert number >= 0, f"no cell contains {text!r}"
        return number

    def number(self, part) -> int:
        """The cell in which a part of the page is."""
        index = "(part) => part.closest('[data-windowed-list-index]').dataset.windowedListIndex"
        return int(part.evaluate(index))

    def cell(self, number):
        """The cell as a locator of the page."""
        return self.page.locator(f'.jp-Notebook [data-windowed-list-index="{number}"]')

    def select(self, number):
        """Select a cell, as arrow keys do outside of an editor."""
        self.page.evaluate(SELECT, number)

    def run(self, number) -> str:
        """Run one cell by its keys, and return the text below it."""
        self.select(number)
        before = self.page.evaluate(COUNT, number)
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(RAN, arg=[number, before])
        return "\n".join(self.cell(number).locator(".jp-OutputArea-output").all_inner_texts())

    def type_last_line(self, number, text):
        """Replace the last line of a cell by ``text``, keeping its indentation."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.press("Shift+Home")  # to the first letter of the line
        self.page.keyboard.type(text)

    def lay_out(self, width, *, dark):
        """Unfold hints and solutions, and draw all cells in a window of that width and theme."""
        self.page.evaluate(UNFOLD)
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        self.page.wait_for_function(
            f"document.body.dataset.jpThemeLight === '{str(not dark).lower()}'"
        )
        height = 0
        while height != (height := 200 + self.page.evaluate(HEIGHT)):  # drawn cells are measured
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.wait_for_function(LAID_OUT)
            self.page.evaluate(DECODED)

    def overflows(self) -> list[str]:
        """What a learner cannot see, or sees only by scrolling sideways."""
        return self.page.evaluate(OVERFLOWS)


def pixels(locator):
    """What is drawn there: uint8 (H, W, 3)."""
    return np.asarray(Image.open(BytesIO(locator.screenshot())).convert("RGB"))


def differs(locator, before, *, wanted=True) -> bool:
    """Whether other pixels than ``before`` are drawn there; waits for it to be as ``wanted``."""
    until = time.monotonic() + PATIENCE
    while True:
        now = pixels(locator)
        other = now.shape != before.shape or bool((now != before).any())
        if other == wanted or time.monotonic() > until:
            return other
