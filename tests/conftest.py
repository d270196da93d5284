"""What all tests share: where things are, and one thread for each test process."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

# Two test processes on two cores: more threads in each only get in each other's way.
for _library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_library, "1")

# A shell that starts tests in the background lets them ignore Ctrl-C, and `nohup` the end of the terminal;
# what is tested would never be interrupted then. Processes that tests start inherit this.
for _name, _usual in (
    ("SIGINT", signal.default_int_handler),
    ("SIGTERM", signal.SIG_DFL),
    ("SIGHUP", signal.SIG_DFL),
):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

REPOSITORY = Path(__file__).resolve().parents[1]
# Last, so that the benchmarks are found and the packages stay those that are installed.
sys.path.append(str(REPOSITORY))


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recordings kept beside the repository; skip where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the public recordings are not beside this checkout (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def dorschky2019(shared) -> Path:
    """Return the folder of the data set of Dorschky et al. (2019)."""
    return shared / "data" / "dorschky2019"


@pytest.fixture(scope="session", autouse=True)
def _own_machine_code(tmp_path_factory):
    """Keep compiled functions where all test processes find them, and away from the user's."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASADI_DYNAMICS_CACHE", str(folder / "machine_code"))
        yield


@pytest.fixture(autouse=True)
def _one_torch_thread():
    """Keep torch, where a test has imported it, on one thread."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture
def chromium():
    """Return the class of a browser without a window; skip where there is none."""
    from tests.chromium import Chromium, find_chromium

    if find_chromium() is None:
        pytest.skip("there is no Chromium to open pages with (apt install chromium)")
    return Chromium


@pytest.fixture
def place_model():
    """Return what puts the built-in model into a results folder, as scaling would that changes nothing."""
    import osim_models
    from sspinn_opensim.results.record import recorded

    def place(study, folder: Path) -> Path:
        with recorded(folder, "scale", study=study):
            shutil.copy(osim_models.path("planar_gait.osim"), folder / "subject.osim")
        return folder

    return place
