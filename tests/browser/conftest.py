"""The course in a real browser: JupyterLab, served by `make lab`, and the site, in Chromium."""

import os
import shutil

import pytest

from benchmarks.in_browser import FLAGS, serve
from glanet.course.kit.paths import NOTEBOOKS
from glanet.course.tools import enlarge
from glanet.course.tools.site import ENLARGE
from tests.browser.lab import PATIENCE, WINDOW, Lab
from tests.served import MISSING, can_be_made, make_lab


def _needed(there, what):
    """Skip without ``what``, unless CI requires it."""
    if not there and os.environ.get("GLANET_REQUIRE_BROWSER") == "1":
        pytest.fail(what)
    if not there:
        pytest.skip(what)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A running `make lab`, as `make_lab` describes it, and the ``folder`` of its notebooks."""
    _needed(can_be_made(), MISSING)
    home = tmp_path_factory.mktemp("lab")
    folder = home / "course" / "notebooks"  # copies: JupyterLab saves what it opens
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("my_work", "source", ".*"))
    # the tests ask JupyterLab itself whether a kernel is busy
    options = (f"--ServerApp.root_dir={folder.parent}", "--LabApp.expose_app_in_browser=True")
    with make_lab(home, *options) as server:
        yield {**server, "folder": folder}


@pytest.fixture(scope="module")
def chromium():
    """A Chromium of this machine, driven by Playwright."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    _needed(program, "needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(chromium, course):
    """JupyterLab as `make lab` opens it."""
    lab = Lab(chromium.new_page(viewport=WINDOW))
    lab.page.goto(course["page"])
    lab.wait_until_idle()
    return lab


@pytest.fixture(scope="module")
def enlarger(chromium, request):
    """The site's page that enlarges photographs. ``requests`` are the addresses it asked for."""
    found = enlarge.cached()
    _needed(found, f"needs {enlarge.PACKAGE}: python -m glanet.course.tools.enlarge")
    with serve(request.getfixturevalue("site_pages")) as address:
        page = chromium.new_page(viewport=WINDOW)
        page.set_default_timeout(1000 * PATIENCE)
        page.requests = []
        page.on("request", lambda asked: page.requests.append(asked.url))
        page.goto(f"{address}/{ENLARGE}.html")
        yield page
        page.close()
