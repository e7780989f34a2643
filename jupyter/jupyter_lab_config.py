"""JupyterLab for the course. Found through JUPYTER_CONFIG_PATH; your own settings stay in force."""

from pathlib import Path

c = get_config()  # noqa: F821  (Jupyter defines it)

c.ServerApp.root_dir = str(Path(__file__).resolve().parents[1])
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
# the kernel of this environment, whatever kernels else are installed
c.MultiKernelManager.default_kernel_name = "python3"
# the course works without a network: list extensions, look nothing up
c.LabApp.extension_manager = "readonly"
# notebook 00 takes a photograph, which comes in one message: by default, above 10 MB the server
# would hang up
c.ServerApp.tornado_settings = {"websocket_max_message_size": 200 * 1024**2}


def drop_python_version(model, **where):
    """Save notebooks without the version of Python: opening one does not modify it."""
    if model["type"] == "notebook":
        model["content"]["metadata"].get("language_info", {}).pop("version", None)


c.FileContentsManager.pre_save_hook = drop_python_version
