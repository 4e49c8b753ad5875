"""Any sentence-transformers model, from a folder, an installed package or a hub, through plain transformers.

Read are modules.json (Transformer, Pooling, Normalize), the pooling's config.json (mean or first token),
sentence_bert_config.json and the default prompt. Weights are safetensors only, and no code that comes with a
model is run. Networks are asked only for a hub name, which is the reader's own wish.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from attention_filter.attention.inspect import watching_transformers
from attention_filter.errors import ModelError
from attention_filter.models.bert import POSITIONS, from_bert, sizes_of, word_table
from attention_filter.models.encoder import E5_PREFIX, RECIPE, Body, Encoder
from attention_filter.models.packed import Precision, pack
from attention_filter.models.transformer import TextEncoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORDS = "embeddings.word_embeddings.weight"
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
_NO_LIMIT = 1_000_000  # tokenizers without a limit name an astronomic one
_ROBERTA = ("roberta", "xlm-roberta", "camembert")  # BERT whose positions count from behind the padding's id


@dataclass(frozen=True)
class PaddedModel:
    """A transformers model of any kind; texts are padded to the longest of their batch, and padding is masked."""

    model: Any
    folder: Path

    def states(self, batch: Sequence[Sequence[int]]) -> list[Tensor]:
        lengths = torch.tensor([len(ids) for ids in batch])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        padded = torch.zeros(mask.shape, dtype=torch.long)
        padded[mask] = torch.tensor([token for ids in batch for token in ids])
        padded[~mask] = self.model.config.pad_token_id or 0  # some models count positions by it
        states = self.model(input_ids=padded, attention_mask=mask.long()).last_hidden_state.float()
        return [one[: len(ids)] for one, ids in zip(states, batch, strict=True)]

    def maps(self, ids: Sequence[int], normalize: Literal["keys", "queries"] = "keys") -> Tensor:
        if normalize == "queries":
            with watching_transformers(self.model) as layers:
                self.model(input_ids=torch.tensor([ids]))
            return torch.cat([layer.a for layer in layers if layer.a is not None])
        model = _model(self.folder, "eager")  # the fast path keeps no maps
        return torch.cat(model(input_ids=torch.tensor([ids]), output_attentions=True).attentions)


def load_pretrained(name: str, precision: Precision) -> Encoder:
    """See `encoder.load_encoder`."""
    folder = _folder(name)
    pooling = _pooling(folder)
    model, tokenizer = _model(folder, "sdpa"), _tokenizer(folder)
    limit = _limit(folder, model.config, tokenizer.truncation)
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    return Encoder(
        id=f"{name.rstrip('/').rsplit('/', 1)[-1]}@{_fingerprint(folder)}+{precision}.{RECIPE}",
        dim=model.config.hidden_size,
        max_tokens=limit,
        tokenizer=tokenizer,
        body=_body(model, folder, precision, name),
        prefix=_prompt(folder, name),
        pooling=pooling,
    )


def load_bert(name: str, dropout: float) -> tuple[TextEncoder, Tokenizer, str]:
    """A BERT or RoBERTa model to be trained (its word table is not), its tokenizer and its prompt.

    `name` as in `encoder.load_encoder`; how it pools does not matter here. ModelError when it is of another kind.
    """
    folder = _folder(name)
    model, tokenizer = _model(folder, "sdpa"), _tokenizer(folder)
    if not _is_bert(model):
        raise ModelError(f"{name} is no BERT or RoBERTa model, so it cannot be tuned; a probe reads it as it is")
    tokenizer.no_padding()
    tokenizer.enable_truncation(_limit(folder, model.config, tokenizer.truncation))
    tensors = _as_bert(model)
    sizes = sizes_of(model.config, dropout, padding=model.config.pad_token_id or 0)
    config = replace(sizes, longest=len(tensors[POSITIONS]))
    return from_bert(tensors, config, word_table(tensors[WORDS])), tokenizer, _prompt(folder, name)


def _folder(name: str) -> Path:
    """The folder the model lies in: one of that name, or within an installed package, or fetched from the hub."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if (packaged := _in_package(name)) is not None:
        return packaged
    if not _HUB_NAME.fullmatch(name) or name.startswith("."):
        raise ModelError(f"no model {name}; name a folder, an installed package or a hub's owner/name")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import snapshot_download

    hub_name = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(snapshot_download(hub_name, allow_patterns=_FILES))
    except Exception as error:  # the hub's client raises its own, its HTTP library's, OSError and ValueError
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"model {hub_name} cannot be fetched: {reason[0]}; name a folder or a package instead"
        ) from None


def _in_package(name: str) -> Path | None:
    """Where an installed package of this name carries a sentence-transformers model. Its code is not run."""
    found = PathFinder.find_spec(name) if name.isidentifier() else None
    for place in (found and found.submodule_search_locations) or ():
        for file in sorted(Path(place).glob("**/modules.json")):
            return file.parent
    return None


def _json(path: Path) -> Any:
    """A JSON file's content; {} when there is no such file."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); download the model again") from None


def _pooling(folder: Path) -> Literal["mean", "cls"]:
    """How token states become one vector. Without modules.json: their mean, as sentence-transformers does."""
    modules = {str(module["type"]).rsplit(".", 1)[-1]: module for module in _json(folder / "modules.json")}
    unknown = set(modules) - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise ModelError(f"{folder} has a part that cannot be read here ({', '.join(unknown)}); use another model")
    if "Pooling" not in modules:
        return "mean"
    config = _json(folder / modules["Pooling"]["path"] / "config.json")
    modes = {key.removeprefix("pooling_mode_") for key, on in config.items() if on is True}
    modes = {mode.removesuffix("_tokens").removesuffix("_token") for mode in modes} - {"include_prompt"}
    mode = config.get("pooling_mode") or "+".join(sorted(modes))
    if mode not in ("mean", "cls") or config.get("include_prompt") is False:
        raise ModelError(f"{folder} pools in a way that cannot be read here ({mode}); use another model")
    return "mean" if mode == "mean" else "cls"


def _prompt(folder: Path, name: str) -> str:
    """The model's default prompt; E5 models want theirs whether or not their files say so."""
    config = _json(folder / "config_sentence_transformers.json")
    prompt = (config.get("prompts") or {}).get(config.get("default_prompt_name"))
    return prompt or (E5_PREFIX if re.search(r"\be5\b", name, re.IGNORECASE) else "")


def _model(folder: Path, attention: Literal["sdpa", "eager"]) -> Any:
    from transformers import AutoModel
    from transformers.utils import logging

    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder} has no *.safetensors file; convert its weights to safetensors first")
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = AutoModel.from_pretrained(
            folder,
            attn_implementation=attention,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except Exception as error:  # a broken config or file: whatever its reader raises
        raise ModelError(f"{folder} cannot be loaded ({_first_line(error)}); download it again") from None
    return model.eval()


def _tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer, normalizers
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise ModelError(f"{folder} has no readable tokenizer ({_first_line(error)}); download it again") from None
    if not isinstance(tokenizer := getattr(loaded, "backend_tokenizer", None), Tokenizer):
        raise ModelError(f"{folder} has no tokenizer.json; save it with a fast tokenizer first")
    if _json(folder / "sentence_bert_config.json").get("do_lower_case"):
        steps = [normalizers.Lowercase()] + ([tokenizer.normalizer] if tokenizer.normalizer else [])
        tokenizer.normalizer = normalizers.Sequence(steps)
    if loaded.model_max_length < _NO_LIMIT:
        tokenizer.enable_truncation(loaded.model_max_length)
    return tokenizer


def _limit(folder: Path, config: Any, truncation: dict[str, Any] | None) -> int:
    """The most tokens a text may have: as the model's files say, and no more than it has positions for."""
    positions = getattr(config, "max_position_embeddings", None) or _NO_LIMIT
    if config.model_type in (*_ROBERTA, "mpnet"):
        positions -= config.pad_token_id + 1
    said = _json(folder / "sentence_bert_config.json").get("max_seq_length") or _NO_LIMIT
    limit = min(positions, said, truncation["max_length"] if truncation else _NO_LIMIT)
    return 512 if limit == _NO_LIMIT else int(limit)


def _body(model: Any, folder: Path, precision: Precision, name: str) -> Body:
    config = model.config
    if _is_bert(model):
        tensors = _as_bert(model)
        table = tensors[WORDS]
        return pack(
            tensors,
            lambda ids: table[ids],
            layers=config.num_hidden_layers,
            heads=config.num_attention_heads,
            eps=config.layer_norm_eps,
            precision=precision,
        )
    if precision == "int8":
        raise ModelError(f"{name} is no BERT or RoBERTa model, so int8 does not fit; use float32 or bfloat16")
    return PaddedModel(model.to(getattr(torch, precision)), folder)


def _is_bert(model: Any) -> bool:
    config = model.config
    return config.model_type in ("bert", *_ROBERTA) and config.hidden_act == "gelu" and not config.is_decoder


def _as_bert(model: Any) -> dict[str, Tensor]:
    """Its tensors by BertModel's names; the first position is that of a text's first token."""
    tensors: dict[str, Tensor] = {key: value.detach() for key, value in model.state_dict().items()}
    if model.config.model_type in _ROBERTA:
        tensors[POSITIONS] = tensors[POSITIONS][model.config.pad_token_id + 1 :]
    return tensors


def _fingerprint(folder: Path) -> str:
    """Twelve hex digits that change whenever the weights do."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
