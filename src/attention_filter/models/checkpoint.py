"""A model as a folder: weights, configuration, tokenizer, and where it comes from. Loading runs no code of the files.

model.safetensors    the tensors by name
model.json           what it is, its configuration, metrics, hash and licence of the data it was trained on
tokenizer.json       how its texts are cut into tokens, when it reads text
README.md            the same for a person: the model's card (Mitchell et al. 2019, "Model cards for model reporting")
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from attention_filter import __version__
from attention_filter.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WEIGHTS, ABOUT, TOKENIZER, CARD = "model.safetensors", "model.json", "tokenizer.json", "README.md"
FORMAT = 1


@dataclass(frozen=True)
class About:
    """What a saved model is. `kind` names the task and model, e.g. "classify/probe"; `config` is plain JSON."""

    kind: str
    config: Mapping[str, Any]
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: str = ""  # `data_hash` of what it was trained on
    licence: str = ""  # of that data
    version: str = __version__
    format: int = FORMAT


def save_model(folder: Path, about: About, tensors: Mapping[str, Tensor], tokenizer: Tokenizer | None = None) -> None:
    """Write the folder whole or not at all: beside it first, then renamed over what was there.

    ModelError when `folder` holds something that is no saved model: it would be lost.
    """
    from safetensors.torch import save_file

    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}, beside / WEIGHTS)
        (beside / ABOUT).write_text(json.dumps(asdict(about), ensure_ascii=False, indent=1), "utf-8")
        (beside / CARD).write_text(card(about), "utf-8")
        if tokenizer is not None:
            tokenizer.save(str(beside / TOKENIZER))
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def card(about: About) -> str:
    """What a person should know before using a model: what for, how good, from what, and where it ends.

    >>> print(card(About("classify/probe", {"labels": ["a", "b"]}, {"accuracy": 0.91}, "00ff", "CC0-1.0", "0.1")))
    # A model for classify, trained by the method "probe"
    <BLANKLINE>
    - **Labels** (2): a, b
    - **On examples held out from its training:** accuracy 0.910
    - **Data:** hash 00ff; licence CC0-1.0
    - **Written by** Attention Filter 0.1
    <BLANKLINE>
    It knows texts of the kind that it was trained on, in their language, and the labels above alone: of any other text
    it will still name one, unless asked with `--scope`. Whatever was unfair in the data is unfair in the model. The
    figures are of examples that also served to choose and to calibrate it; measure on your own before you rely on it:
    <BLANKLINE>
        attention evaluate classify --model FOLDER --data FILE
    <BLANKLINE>
    """
    task, _, method = about.kind.partition("/")
    labels = about.config.get("labels", [])
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in about.metrics.items())
    return f"""# A model for {task}, trained by the method "{method}"

- **Labels** ({len(labels)}): {", ".join(labels)}
- **On examples held out from its training:** {figures or "not measured"}
- **Data:** hash {about.data or "unknown"}; licence {about.licence or "not stated"}
- **Written by** Attention Filter {about.version}

It knows texts of the kind that it was trained on, in their language, and the labels above alone: of any other text
it will still name one, unless asked with `--scope`. Whatever was unfair in the data is unfair in the model. The
figures are of examples that also served to choose and to calibrate it; measure on your own before you rely on it:

    attention evaluate {task} --model FOLDER --data FILE
"""


def check_folder(folder: Path) -> None:
    """ModelError when a model cannot be written there without losing other files; ask before a long training."""
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder}: a file; name a new or empty folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / ABOUT).exists():
        raise ModelError(f"{folder}: holds other files; name a new or empty folder")


def load_about(folder: Path, task: str) -> About:
    """What the model in a folder is. ModelError when there is none, or when it is one of another task."""
    try:
        found = json.loads((folder / ABOUT).read_text("utf-8"))
        if found["format"] > FORMAT:
            raise ModelError(f"{folder}: written by version {found['version']}; update this program to read it")
        about = About(**{name: found[name] for name in About.__dataclass_fields__})
    except FileNotFoundError:
        raise ModelError(f"{folder}: no saved model; `attention train {task} --out {folder}` makes one") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder / ABOUT}: cannot be read ({error}); train the model again") from error
    if about.kind.partition("/")[0] != task:
        raise ModelError(f"{folder}: a model for {about.kind.partition('/')[0]}, not for {task}")
    return about


def load_tensors(folder: Path) -> dict[str, Tensor]:
    """The weights by name. ModelError when the file is missing, cut short or something else."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder / WEIGHTS}: cannot be read ({error}); train the model again") from error


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer that was saved with the model."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # the library raises plain Exception
        raise ModelError(f"{folder / TOKENIZER}: cannot be read ({error}); train the model again") from error


def data_hash(*parts: object) -> str:
    """Sixteen hex digits that change whenever the training data does (BLAKE2b of their JSON).

    >>> data_hash([("good", "text")]) == data_hash([["good", "text"]]), len(data_hash())
    (True, 16)
    """
    return hashlib.blake2b(json.dumps(parts, ensure_ascii=False).encode(errors="replace"), digest_size=8).hexdigest()
