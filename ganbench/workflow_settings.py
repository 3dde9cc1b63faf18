"""What `snakemake --config key=value` may say; anything else is refused before a job is planned."""

import difflib
from collections.abc import Mapping
from typing import Any

from ganbench.errors import ConfigError
from ganbench.inputs import shown

SETTINGS = {
    "suite": "a suite file, as in configs/suites/demo.yaml",
    "device": "cpu or cuda",
    "data_dir": "a folder",
    "seeds_per_job": "a whole number from 1 on",
}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuses unknown keys and values.

    Raises:
        ConfigError: names the key, the value and what is allowed.
    """
    for key, value in settings.items():
        if key not in SETTINGS:
            close = difflib.get_close_matches(key, SETTINGS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"give one of {', '.join(SETTINGS)}"
            raise ConfigError(f"--config: unknown key {shown(key)}; {hint}")
        if not _fits(key, value):
            raise ConfigError(f"--config: {key}: got {shown(value)}; give {SETTINGS[key]}")


def _fits(key: str, value: Any) -> bool:
    if key == "device":
        return value in ("cpu", "cuda")
    if key == "seeds_per_job":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return isinstance(value, str) and bool(value)
