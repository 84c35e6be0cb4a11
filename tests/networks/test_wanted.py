"""What dreams want of their networks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from stream_dream.errors import StreamDreamError
from stream_dream.networks.wanted import check_looks
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.validation import validated


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network": "no"}, "there is no network 'no'"),
        ({"layer": ["blok5"]}, "no layer 'blok5': did you mean block5"),
        ({"layer": ["block5:80"]}, "no channel 80: choose 0 to 79"),
        ({"layer": ["block5=0"]}, "nothing would be dreamed"),
        ({"guide_layer": ["block5"]}, "--guide-layer needs a picture"),
        ({"classes": ["tabbby"]}, "no ImageNet class 'tabbby': did you mean tabby"),
        ({"classes": ["1000"]}, "no ImageNet class 1000"),
    ],
)
def test_what_networks_lack_is_refused(values: dict[str, Any], message: str) -> None:
    good = DreamSettings()
    check_looks([good])
    with pytest.raises(StreamDreamError, match=message) as raised:
        check_looks([good, validated(DreamSettings, values)])
    assert raised.value.exit_code == 2


def test_tensorflow_is_not_imported() -> None:
    code = (
        "import sys, stream_dream.networks.wanted as w, stream_dream.settings.dream as s;"
        "w.check_looks([s.DreamSettings()]); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
