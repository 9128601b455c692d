"""Run commands of `kedro` and `hmltc_kedro`, each in a process of its own, with the imports paid for once.

Started by `kedro_project`, once a worker. Reads one JSON object a line: the folder to stand in, the program and its
arguments, and the files that take its output; answers with the exit code. The commands run the program's own `main`,
in a forked process.
"""

import gc
import importlib
import json
import os
import sys
import traceback
from importlib.util import find_spec
from typing import NoReturn

from hmltc_kedro.freshness.code import identify_code
from hmltc_kedro.pipeline_registry import register_pipelines
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.report.page import make_environment

PRELOADED = [
    "kedro.framework.cli.project",
    "kedro.framework.session",
    "kedro_telemetry.plugin",
    "kedro_viz.integrations.kedro.hooks",
    "kedro_viz.launchers.cli.main",
    "hmltc_kedro.cli",
    "hmltc_kedro.settings",
    *(
        f"hmltc_kedro.datasets.{name}"
        for name in ("classifier", "encoder", "files", "llm", "raw", "student", "taxonomy")
    ),
    *(f"hmltc_kedro.pipelines.{name}" for name in (*STAGES, "ablation", "label")),
    "hmltc_kedro.labelling.bulk",
    "hmltc_kedro.modeling.training",
    "hmltc_kedro.text.light_encoder",
    "plotly.graph_objs._figure",
    "plotly.io",
    "pyarrow.dataset",
    "sentence_transformers.sentence_transformer.modules",
    "sklearn.linear_model",
    "sklearn.manifold",
    "sklearn.neighbors",
    "tokenizers",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
]
"""What commands import: each would pay some seconds for it."""

OPTIONAL = {
    "kedro_mlflow": [
        "kedro_mlflow.framework.cli.cli",
        "kedro_mlflow.framework.hooks.mlflow_hook",
        "mlflow.store.tracking.sqlalchemy_store",
    ],
    "openvino": ["openvino"],
}
"""What they import where an extra is installed, by a package of it."""

PROGRAMS = {"kedro": "kedro.framework.cli", "hmltc_kedro": "hmltc_kedro.__main__"}
"""Where the function `main` of a program is."""


def run_command(folder: str, program: str, arguments: list[str], out: str, err: str) -> NoReturn:
    """Become `<program> <arguments>` in `folder`."""
    for name, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.chdir(folder)
    sys.argv = [program, *arguments]
    code: object = 0
    try:
        importlib.import_module(PROGRAMS[program]).main()
    except SystemExit as exit_:
        code = exit_.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    found = [name for package, names in OPTIONAL.items() if find_spec(package) for name in names]
    for name in [*PRELOADED, *found]:
        importlib.import_module(name)
    for pipeline in register_pipelines().values():  # parses the project's code, which no test of this server changes
        for node in pipeline.nodes:
            identify_code(node.func)
    for name in make_environment().list_templates(extensions=["html"]):
        make_environment().get_template(name)
    gc.collect()
    gc.freeze()  # what is loaded by now stays; no command goes through it
    for line in sys.stdin:
        request = json.loads(line)
        process = os.fork()
        if process == 0:
            run_command(**request)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
