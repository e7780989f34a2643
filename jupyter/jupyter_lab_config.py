"""JupyterLab for the course. Found through JUPYTER_CONFIG_PATH; your own settings stay in force."""

from pathlib import Path

c = get_config()  # noqa: F821  (Jupyter defines it)

c.ServerApp.root_dir = str(Path(__file__).resolve().parents[1])
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
# the kernel of this environment, whatever kernels else are installed
c.MultiKernelManager.default_kernel_name = "python3"
# the course works without a network: list extensions, look nothing up
c.LabApp.extension_manager = "readonly"
