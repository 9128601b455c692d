"""A Kedro project for the tests: the skeleton of this one with small datasets, and its command line."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything it printed."""
        return self.out + self.err


def read_content(path: Path) -> bytes:
    """Return a file's bytes; of a safetensors file with the header's keys in order, which its writer shuffles."""
    content = path.read_bytes()
    if path.suffix != ".safetensors":
        return content
    end = 8 + int.from_bytes(content[:8], "little")
    return json.dumps(json.loads(content[8:end]), sort_keys=True).encode() + content[end:]


def write_short_encoder(folder: Path) -> Path:
    """Write the embedded encoder with the first of its six layers: it tells texts apart, in a sixth of the time."""
    from hmltc_kedro.text.encoder import TextEncoder

    model = TextEncoder(device="cpu").load_model()
    bert = model[0].auto_model
    del bert.encoder.layer[1:]
    bert.config.num_hidden_layers = 1
    model.save(str(folder), create_model_card=False)
    return folder


class Project:
    """A copy of the project's skeleton with small datasets of its own, and its command line.

    The dataset `sample` is cut from the embedded one: 40 training and 20 test documents of 15 words.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.raw = folder / "data" / "01_raw"
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(REPOSITORY / name, folder)
        shutil.copytree(REPOSITORY / "conf", folder / "conf", ignore=shutil.ignore_patterns("local", "mlflow.yml"))
        (folder / "conf" / "local").mkdir()
        (folder / "src").mkdir()  # Kedro wants it; the package itself is installed
        self._cut_sample(REPOSITORY / "data" / "01_raw" / "sample")

    def _cut_sample(self, source: Path) -> None:
        target = self.raw / "sample"
        shutil.copytree(source, target)
        for name, documents in (("train/train_corpus.txt", 40), ("test/test_corpus.txt", 20)):
            lines = (source / name).read_text("utf-8").splitlines()
            kept = lines[:: len(lines) // documents][:documents]
            (target / name).write_text("".join(" ".join(line.split(" ")[:15]) + "\n" for line in kept), "utf-8")
        test_ids = {line.split("\t")[0] for line in (target / "test/test_corpus.txt").read_text("utf-8").splitlines()}
        gold = (source / "test/doc2labels.txt").read_text("utf-8").splitlines(keepends=True)
        (target / "test/doc2labels.txt").write_text("".join(x for x in gold if x.split("\t")[0] in test_ids), "utf-8")

    def add_dataset(self, name: str, without: tuple[str, ...] = (), vectors: bool = True) -> Path:
        """Copy `sample` to a dataset `name`, with the vectors that are already known unless told otherwise."""
        target = self.raw / name
        shutil.copytree(self.raw / "sample", target)
        for file in without:
            (target / file).unlink()
        cache = self.folder / "data" / "04_feature" / "sample" / "vector_cache.sqlite"
        if vectors and cache.is_file():
            (self.folder / "data" / "04_feature" / name).mkdir(parents=True)
            shutil.copy(cache, self.folder / "data" / "04_feature" / name)
        return target

    def use_short_encoder(self, environment: str) -> None:
        """Let an environment of this project encode with the short encoder."""
        encoder, path = self.folder / "short_encoder", self.folder / "conf" / environment / "globals.yml"
        if not encoder.is_dir():
            write_short_encoder(encoder)
        lines = [
            line
            for line in path.read_text("utf-8").splitlines()
            if not line.startswith(("encoder:", "encoder_backend:"))
        ]
        lines += [f"encoder: {encoder}", "encoder_backend: torch"]
        path.write_text("\n".join(lines) + "\n", "utf-8")

    def kedro(self, *arguments: str) -> Finished:
        """Run `kedro <arguments>` in the project's folder, in a process of its own."""
        return call(self.folder, "kedro", *arguments)

    def kedro_from_shell(self, *arguments: str) -> Finished:
        """Run `kedro <arguments>` as a shell does, imports and all."""
        return call_from_shell(self.folder, "kedro", *arguments)

    def run(self, *arguments: str) -> str:
        """Run `kedro run <arguments>`, which is to succeed, and return what it printed."""
        done = self.kedro("run", *arguments)
        assert done.code == 0, done.text
        return done.out

    def read_digests(self, variant: str = "", dataset: str = "sample") -> dict[str, str]:
        """Return digests of all files that the variant of a dataset has written.

        Without the vector cache, which all variants fill, what holds times (training history, records, the record of
        the run, the report), and `llm_usage`, which is about the last run, whatever that was.
        """
        digests = {}
        for layer in sorted((self.folder / "data").glob("0[2-8]*")):
            top = layer / dataset
            for path in sorted((top / variant).rglob("*")):
                name = path.relative_to(top)
                other = not variant and name.parts[0] in ("test", "paper")
                left_out = path.name.startswith("vector_cache") or path.stem in (*TIMED, "llm_usage")
                left_out |= path.name.endswith(".made.json")
                if path.is_file() and not other and not left_out:
                    digests[f"{layer.name}/{name}"] = hashlib.sha256(read_content(path)).hexdigest()
        return digests

    def take_run(self, shared: Path, run: Callable[[], Finished]) -> Finished:
        """Return what `run` prints, and have what it writes about `sample`; one worker runs it, all others copy.

        Args:
            shared: a folder for this run that all workers see.
            run: something that works in this project, and is to succeed.
        """
        with FileLock(f"{shared}.lock"):
            if not (shared / "finished.json").exists():
                done = run()
                assert done.code == 0, done.text
                for layer in (self.folder / "data").glob("0[2-8]*"):
                    if (layer / "sample").exists():
                        shutil.copytree(layer / "sample", shared / "data" / layer.name / "sample")
                (shared / "finished.json").write_text(json.dumps(asdict(done)), "utf-8")
                return done
        shutil.copytree(shared / "data", self.folder / "data", dirs_exist_ok=True)
        return Finished(**json.loads((shared / "finished.json").read_text("utf-8")))


def call(folder: Path, program: str, *arguments: str) -> Finished:
    """Run a command of `kedro` or `hmltc_kedro` in a folder, in a process that has imported what it needs."""
    if sys.platform != "linux":  # elsewhere a process that has loaded torch does not fork well
        return call_from_shell(folder, program, *arguments)
    server = start_server()
    assert server.stdin is not None and server.stdout is not None
    with TemporaryDirectory() as output:
        out, err = Path(output, "out.txt"), Path(output, "err.txt")
        request = {"folder": str(folder), "program": program, "arguments": arguments, "out": str(out), "err": str(err)}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return Finished(code, out.read_text("utf-8"), err.read_text("utf-8"))


def call_from_shell(folder: Path, program: str, *arguments: str) -> Finished:
    """Run a command in a folder as a shell does, imports and all."""
    command = [sys.executable, "-m", program, *arguments]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


@cache
def start_server() -> subprocess.Popen[str]:
    """Start what runs the commands of all projects of this process, and ends with it: its input is closed then."""
    command, pipe = [sys.executable, str(REPOSITORY / "tests" / "helpers" / "kedro_server.py")], subprocess.PIPE
    return subprocess.Popen(command, env=ENVIRONMENT, stdin=pipe, stdout=pipe, text=True)


TIMED = ("training_history", "run_record", "report")
"""Files that no two runs write alike."""

ENVIRONMENT = {**os.environ, "COLUMNS": "120", "KEDRO_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
"""The surroundings of a command; tests need no network."""
