"""Writes NAME.ipynb from NAME.py, with its outputs and pictures: python examples/notebook.py [NAME …]"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("attention_tour", "classify_english", "classify_chinese")


def cells(script: str) -> list[dict[str, object]]:
    """The script's `# %%` blocks as notebook cells, run in order in one namespace."""
    found: list[dict[str, object]] = []
    namespace: dict[str, object] = {}
    for number, block in enumerate(script.split("# %%")[1:]):
        head, body = block.split("\n", 1)
        if "[markdown]" in head:
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().split("\n"))
            found.append({"cell_type": "markdown", "id": f"cell-{number}", "metadata": {}, "source": text})
            continue
        found.append(
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": outputs(body, namespace),
                "source": body.strip(),
            }
        )
    return found


def outputs(code: str, namespace: dict[str, object]) -> list[dict[str, object]]:
    """What a cell prints, and the picture that its last line is."""
    tree, last = ast.parse(code), None
    if isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), namespace)  # noqa: S102  # our own example
        value = eval(compile(last, "cell", "eval"), namespace) if last else None  # noqa: S307
    shown: list[dict[str, object]] = []
    if printed.getvalue():
        shown.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
    if hasattr(value, "_repr_png_"):
        png = base64.b64encode(value._repr_png_()).decode()
        shown.append({"output_type": "display_data", "metadata": {}, "data": {"image/png": png}})
    elif hasattr(value, "_repr_html_"):
        shown.append({"output_type": "display_data", "metadata": {}, "data": {"text/html": value._repr_html_()}})
    return shown


def notebook(script: str) -> str:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells(script), "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        script = (HERE / f"{name}.py").read_text(encoding="utf-8")
        (HERE / f"{name}.ipynb").write_text(notebook(script), encoding="utf-8")
