"""Seconds that the site's page takes to enlarge a photograph of 512 × 512 pixels in Chromium.

    python -m benchmarks.in_browser

Each round is a visitor's first photograph: the browser starts anew, and loads and compiles what the
page needs. It computes in one thread, as on any site that does not send the headers which isolate
it, such as GitHub Pages. The photograph is scikit-image's astronaut.
"""

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread

import skimage.data
import tyro
from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks import ledger
from glanet.course.tools import enlarge

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")  # CI is root, has no GPU
# the seconds until the network is ready, and until the enlarged photograph is; as page.js does it
_ENLARGE = """async ([script, photo]) => {
  const file = await (await fetch(photo)).blob();
  const worker = new Worker(script, {type: "module"});
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  return new Promise((resolve, reject) => {
    let loading;
    worker.onerror = reject;
    worker.onmessage = ({data: {error, done, after}}) => {
      if (error) reject(error);
      if (done === 0) loading = seconds();
      if (after) resolve([loading, seconds()]);
    };
    worker.postMessage(file);
  });
}"""


@dataclass(frozen=True)
class Options:
    rounds: int = 5
    side: int = 512  # pixels of the photograph


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serve(folder):
    """Serve the files of a folder to this machine; yields their address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def main(options: Options):
    ledger.started()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        enlarge.write(Path(folder) / "enlarge", enlarge.fetch())
        (Path(folder) / "index.html").write_text("<!doctype html><title>benchmark</title>")
        photo = Image.fromarray(skimage.data.astronaut()).resize((options.side, options.side))
        photo.save(Path(folder) / "photo.png")
        rounds = []
        with serve(folder) as address:
            for _ in range(options.rounds):
                program = shutil.which("chromium")
                browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
                page = browser.new_page()
                page.goto(address)
                rounds.append(page.evaluate(_ENLARGE, ["enlarge/worker.js", "photo.png"]))
                version = browser.version
                browser.close()
    loading, total = zip(*rounds, strict=True)
    entry = ledger.record(
        "in-browser",
        round(median(total), 1),
        "seconds, the median of the rounds",
        weights=enlarge.WEIGHTS,
        image=f"{options.side} × {options.side}",
        rounds=[round(seconds, 1) for seconds in total],
        loading=[round(seconds, 1) for seconds in loading],
        chromium=version,
        runtime=f"{enlarge.PACKAGE} {enlarge.VERSION}",
    )
    print(f"{entry['value']} s; until the network was loaded: {entry['loading']}")


if __name__ == "__main__":
    main(tyro.cli(Options))
