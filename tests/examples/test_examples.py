import importlib.util
import json
import runpy
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def one_thread():
    """These tensors are small: a second thread only waits for the first."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tour_runs_and_its_hand_computed_numbers_hold(capsys):
    runpy.run_path(str(EXAMPLES / "attention_tour.py"))
    out = capsys.readouterr().out
    assert "H(cats, cats) by hand 0.8401, by the library 0.8401" in out
    assert "A(animals, cats) by hand 0.8808, by the library 0.8808" in out


@pytest.mark.parametrize("name", load("notebook").NAMES)
def test_the_notebook_holds_the_script(name):
    script = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(block.strip() in script for block in code)
    assert len(code) == script.count("# %%\n")


@pytest.mark.parametrize("name", ["classify_english", "classify_chinese"])
def test_a_task_is_learned_shown_and_explained_in_a_notebook(name):
    script = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    outputs = [out for cell in load("notebook").cells(script) for out in cell.get("outputs", ())]
    shown = [kind for out in outputs for kind in out.get("data", ())]
    assert shown == ["image/png", "text/html"]  # the confusion matrix, the words' shares
    said = "".join(out.get("text", "") for out in outputs)
    assert "+ rest" in said or "+ 其余" in said


def test_the_transformer_learns_to_turn_sequences_around(capsys):
    right = load("transformer_from_scratch").main(steps=250)
    assert right > 0.9
    assert "translation" in capsys.readouterr().out


def test_the_transformer_ignores_padding_and_the_future():
    example = load("transformer_from_scratch")
    torch.manual_seed(0)
    model = example.TransformerModel(n_heads=2, n_units=16, input_vocab_size=9, output_vocab_size=7).eval()
    source, target = torch.tensor([[3, 4, 5, 8]]), torch.tensor([[1, 2, 3]])
    mask = torch.tensor([[1, 1, 1, 0]])
    logits, weights = model(source, target, mask)
    assert logits.shape == (1, 3, 7)
    assert weights.shape == (1, 2, 3, 4)
    assert (weights[..., 3] == 0).all()
    other, _ = model(torch.tensor([[3, 4, 5, 2]]), torch.tensor([[1, 2, 6]]), mask)
    torch.testing.assert_close(other[:, :2], logits[:, :2])
    assert not torch.allclose(other[:, 2], logits[:, 2])
