"""How `conftest.py` has types checked at run time."""

import beartype

# As static checkers do, a whole number passes for a float (PEP 484).
check = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
