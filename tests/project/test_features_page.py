"""docs/features.md: its table has all features, and says which of them this build has."""

import re
from pathlib import Path

import wamr
from wamr._diagnosis.proposals import PROPOSALS, supported

PAGE = Path(__file__).parents[2] / "docs" / "features.md"


def test_the_table_says_which_features_there_are():
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \| (yes|no) \|$", PAGE.read_text("utf-8"), re.M)
    found = {name: (re.sub(r"\[(.*)\]\(.*\)", r"\1", text), here) for name, text, here in rows}
    assert list(found) == sorted(found)
    assert found == {
        name: (text, "yes" if supported(name) else "no") for name, (text, _) in PROPOSALS.items()
    }
    no_features_of_modules = {"wasi-directories"}
    assert set(found) >= wamr.FEATURES - no_features_of_modules
