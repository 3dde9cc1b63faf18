"""Nothing of a user's is opened but through the doors, so that a later verb is closed too."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "ganbench"
DOORS = {"inputs.py", "plain_yaml.py", "archives.py"}
# Our own sources, the machine's facts, and a file that has just been opened by a door.
ALLOWED = {
    ("provenance.py", "read_text"),
    ("checkout.py", "read_text"),
    ("syntax.py", "read_text"),
    ("provenance.py", "open"),
    ("provenance.py", "os.open"),
    ("numerics.py", "read_text"),
    ("bench/estimators.py", "read_text"),
    ("bench/gate_trial.py", "read_text"),
    ("data/sample_files.py", "torch.load"),
    ("data/fetch.py", "tarfile.open"),
    ("training/checkpoints.py", "safe_open"),
}
METHODS = {"read_text", "read_bytes"}
FUNCTIONS = {
    "json.load", "json.loads", "yaml.load", "yaml.safe_load", "np.load", "np.fromfile",
    "np.loadtxt", "np.genfromtxt", "gzip.open", "lzma.open", "bz2.open", "torch.load",
    "load_file", "safe_open", "Image.open", "pickle.load", "pickle.loads", "tarfile.open",
    "os.open", "io.open",
}  # fmt: skip


def opened(call: ast.Call) -> str | None:
    """The name of a call that reads a file; writing and text in memory do not count."""
    name = ast.unparse(call.func)
    if name == "open":
        mode = call.args[1] if len(call.args) > 1 else None
        writes = isinstance(mode, ast.Constant) and "w" in str(mode.value)
        return None if writes else name
    if name == "pd.read_csv":
        return None if ast.unparse(call.args[0]).startswith("StringIO(") else name
    last = name.rpartition(".")[2]
    method = isinstance(call.func, ast.Attribute) and last in METHODS
    return last if method else name if name in FUNCTIONS else None


def calls() -> set[tuple[str, str]]:
    return {
        (str(path.relative_to(PACKAGE)), name)
        for path in PACKAGE.rglob("*.py")
        if path.name not in DOORS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and (name := opened(node))
    }


def test_files_are_opened_at_the_doors_alone() -> None:
    assert calls() - ALLOWED == set()


def test_every_exception_is_still_one() -> None:
    assert ALLOWED - calls() == set()
