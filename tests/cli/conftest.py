"""The command line in-process, on a database in a temporary folder, with an encoder that hashes words."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from attention_filter.cli.program import run
from attention_filter.models.encoder import TokenStates
from attention_filter.settings import Settings
from attention_filter.words import occurrences, term_id

DIM = 64
torch.set_num_threads(1)  # the arrays are tiny: threads would only wait for one another
ITEMS = [
    ("rust", "Rust compilers get faster", "The compiler for Rust now builds large programs in half the time."),
    ("gc", "A garbage collector in a cache", "How the compiler and the runtime of a language share memory."),
    ("wind", "Offshore wind farm opens", "Forty turbines give power to a city; batteries store the rest."),
    ("battery", "Sodium batteries leave the factory", "Batteries without lithium for the power grid and its storms."),
    ("football", "Cup won on penalties", "The keeper saved two penalties and the town sang until morning."),
    ("pie", "Leek pie for Sunday", "Leeks, butter, flour and patience; forty minutes in the oven."),
    ("yan", "人工智能帮助医生看眼底照片", "医院用人工智能筛查眼病，医生复核每一张照片。"),
    ("dian", "电池工厂开始发货", "钠离子电池装上火车，送往电网储能项目。"),
    ("stars", "Your stars this week", "Mercury is kind to those who wait for the tram."),
    ("tram", "Tram line closed for a week", "Buses run instead while the rails at the bridge are mended."),
]


class HashedWords:
    """Each word is a direction of its own: near texts share words."""

    id = "hashed-words"
    dim = DIM

    def encode(self, texts, *, progress=None):
        rows = np.stack([self.token_states(text).states.mean(0) for text in texts])
        if progress:
            progress(len(texts))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def token_states(self, text, depth=0):
        found = occurrences(text) or [(0, 0, "")]
        states = [np.random.default_rng(term_id(term)).standard_normal(DIM) for _, _, term in found]
        return TokenStates([(start, end) for start, end, _ in found], np.array(states, np.float32))


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


Attention = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A quiet terminal of 80 columns, settings of our own, and the encoder that hashes words."""
    for name in ("ATTENTION_DEBUG", "NO_COLOR", "FORCE_COLOR", "LC_ALL", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    monkeypatch.setenv("ATTENTION_DB", f"sqlite:///{tmp_path / 'attention.db'}")
    monkeypatch.setattr("attention_filter.settings.load_settings", Settings)
    monkeypatch.setattr("attention_filter.models.encoder.load_encoder", lambda name: HashedWords())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def attention(capsys: pytest.CaptureFixture[str]) -> Attention:
    """Run a command as its own process would, and see what came of it."""

    def call(*args: object) -> Outcome:
        capsys.readouterr()
        code = run([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def written(path: Path) -> Path:
    """The ten items as a JSONL file."""
    lines = [{"id": key, "title": title, "text": text} for key, title, text in ITEMS]
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that follows ten items and has one interest; made once, copied by each test."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("attention_filter.models.encoder.load_encoder", lambda name: HashedWords())
        db = str(folder / "attention.db")
        assert run(["--db", db, "add", str(written(folder / "news.jsonl"))]) == 0
        assert run(["--db", db, "interests", "add", "compilers of programming languages"]) == 0
        assert run(["--db", db, "fetch"]) == 0
        assert run(["--db", db, "backup", str(folder / "whole.db")]) == 0
    return folder / "whole.db"


@pytest.fixture
def news(prepared: Path, tmp_path: Path) -> Path:
    """The prepared database in place of the reader's own."""
    return Path(shutil.copy(prepared, tmp_path / "attention.db"))


@pytest.fixture
def id_of(attention: Attention) -> Callable[[str], int]:
    """The number of the item with these words."""

    def find(words: str) -> int:
        return int(attention("search", words, "--json").json["hits"][0]["id"])

    return find
