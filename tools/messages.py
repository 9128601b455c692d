"""What the program prints when something is wrong, and what to do: `docs/troubleshooting.md` is made from this table.

`tests/docs/test_troubleshooting.py` has something that produces each message, by title, and compares what is printed.
`...` stands for what differs from run to run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Message(NamedTuple):
    """Something that is printed.

    Attributes:
        title: the heading it has on the page.
        printed: by the command.
        mend: what to do, and why it is printed where that is not plain, in Markdown.
    """

    title: str
    printed: str
    mend: str


def list_messages(_: Any, chapter: str) -> Iterator[str]:
    """Yield a chapter of the page."""
    for message in MESSAGES[chapter]:
        yield from (f"### {message.title}", "", "```text", message.printed, "```", "", message.mend, "")


MESSAGES: dict[str, tuple[Message, ...]] = {
    "before": (
        Message(
            "A package that is not installed",
            "Error: a command needs the package kedro; pip install 'hmltc_kedro[kedro]'",
            "The wheel alone is the model; the [extras](packaging.md#extras) bring the rest.",
        ),
        Message(
            "An entry is missing",
            "Error: entry `annotations` is missing (data/05_model_input/yours/annotations.parquet); make it "
            "with: kedro run --pipeline=annotate --params=dataset=yours\n"
            "entry `class_embeddings` is missing (data/04_feature/yours/class_embeddings.safetensors); make it "
            "with: kedro run --pipeline=enrich --params=dataset=yours\n"
            "...",
            "Earlier stages have not run for this dataset and environment. Run the commands, or `kedro run "
            "--params=dataset=yours` for the whole chain.",
        ),
        Message(
            "A raw file is missing",
            "Error: data/01_raw/yours/classes.txt: this file is missing (entry `raw_classes`); put it there, "
            "see README, Your own data\n"
            "...",
            "Put the files there ([formats](../data/01_raw/README.md)); only the keywords, `labels.csv` and the "
            "gold labels may be missing.",
        ),
        Message(
            "There is no such parameter",
            "Error: there is no parameter `datset`; use ablation, annotate, augment, dataset, ...",
            "Use one of the names listed.",
        ),
        Message(
            "There is no such setting",
            "Error: there is no parameter `pseudo_label.top_q`; use views, hubness_prior, lexical_weight, "
            "ancestor_weight, second_look, neighbours, top_k, selection, gap, starved",
            "Use one of the names listed.",
        ),
        Message(
            "A setting is out of range",
            "Error: parameter `pseudo_label.gap`: a quantile should be less than 1",
            "The stage's page says what is allowed, as of [pseudo_label](stages/pseudo_label.md#settings).",
        ),
        Message(
            "A parameter that is something else",
            "Error: there is no parameter `encoder`: it is a global; write `encoder: ...` into conf/local/globals.yml",
            "`--params` sets what the stages read. Encoder and language model are globals, keys are "
            "credentials, and both have a file of their own in `conf/local` or the environment's folder.",
        ),
        Message(
            "There is no such pipeline",
            "Error: Failed to find the pipeline named 'ingets'. It needs to be generated and returned by the "
            "'register_pipelines' function. Did you mean one of these instead?\n"
            "    ingest",
            "`kedro registry list` has the names.",
        ),
        Message(
            "There is no such environment",
            "Error: Given configuration path either does not exist or is not a valid directory: .../conf/papre",
            "`base` needs no `--env`; the others are the folders of `conf`.",
        ),
        Message(
            "There is no configuration",
            "Error: conf/base: no such folder; stand in the folder of `conf`, or give it with --conf-source, a "
            "folder or conf-hmltc_kedro.tar.gz",
            "Of the [installed package](packaging.md), outside of the repository.",
        ),
        Message(
            "There is no such node",
            "Error: Pipeline does not contain nodes named ['decode_prediction'].",
            "Take the name from the log, or from the stage's page.",
        ),
        Message(
            "An ablation row does not read a setting",
            "Error: ablation.variants.gcn.pseudo_label.neighbours: the row `gcn` does not read this, it would "
            "change nothing; it reads infer.batch_size, infer.decoding, pseudo_label.views, train",
            "What a row shares with all others is a setting of the stage, `pseudo_label.neighbours`.",
        ),
        Message(
            "A dataset's name is none",
            "Error: dataset: '../mine' is no name; it is the name of a folder in data/01_raw: letters, digits, "
            "_, - and .",
            "The folder's name alone. In YAML a name of digits stands in quotes.",
        ),
        Message(
            "There is no such client",
            "Error: llm: there is no client 'gpt'; use one of openai, recorded, replay, template",
            "`llm` in `globals.yml` is how the model is reached, not its name. `llm: openai`, and the name "
            "under `llm_model`.",
        ),
    ),
    "raw_files": (
        Message(
            "The hierarchy has a cycle",
            "Error: .../data/01_raw/mine/class_hierarchy.txt:51: this edge closes a cycle: 5 -> 0 -> 5; a "
            "taxonomy is acyclic, remove one of these edges",
            "Remove the edge that says the wrong thing; it need not be the one on this line.",
        ),
        Message(
            "A class id has a comma",
            "Error: .../data/01_raw/mine/classes.txt:50: class id 'a,b' has a comma in it; label lists are "
            "separated by commas, write it without",
            "In the hierarchy and the gold labels as well.",
        ),
        Message(
            "An edge names an unknown class",
            "Error: .../data/01_raw/mine/class_hierarchy.txt:51: class '777' is not in "
            ".../data/01_raw/mine/classes.txt; add it there or remove the edge",
            "As it says.",
        ),
        Message(
            "A class is its own parent",
            "Error: .../data/01_raw/mine/class_hierarchy.txt:51: class '5' is its own parent; remove the line",
            "A root is a class that has no parent.",
        ),
        Message(
            "A class id occurs twice",
            "Error: .../data/01_raw/mine/classes.txt:50: class id '0' is already on line 1; give each class its own id",
            "A class with two parents is one line here and two edges in the hierarchy.",
        ),
        Message(
            "A line has no TAB",
            "Error: .../data/01_raw/mine/train/train_corpus.txt:41: the line has no TAB; write <key>TAB<value> "
            "(or set ingest.on_invalid: skip)",
            "Spaces in place of the TAB, or a text with a line break in it. One TAB after the id; texts with "
            "line breaks go into a CSV or Parquet corpus.",
        ),
        Message(
            "A line is not UTF-8",
            "Error: .../data/01_raw/mine/train/train_corpus.txt:41: byte 8 of the line is not UTF-8; save the "
            "file as UTF-8 (or set ingest.on_invalid: skip)",
            "`iconv -f LATIN1 -t UTF-8 old.txt > new.txt`.",
        ),
        Message(
            "A carriage return within a line",
            "Error: .../data/01_raw/mine/train/train_corpus.txt:41: a carriage return within the line; end "
            "every line of the file with a line feed (or set ingest.on_invalid: skip)",
            "The file ends its lines in two ways, and a document may stand behind it. `tr '\\r' '\\n' < old.txt > "
            "new.txt`, or a CSV corpus if it belongs to a text.",
        ),
        Message(
            "A text is empty",
            "Error: .../data/01_raw/mine/train/train_corpus.txt:41: the text is empty; write one or remove the "
            "line (or set ingest.on_invalid: skip)",
            "As it says, or `--params=ingest.on_invalid=skip`, which sets such lines aside in `rejected_documents`.",
        ),
        Message(
            "A document id occurs twice",
            "Error: .../data/01_raw/mine/train/train_corpus.txt:41: document id '0' is already on line 1; ids "
            "are unique within a split (or set ingest.on_invalid: skip)",
            "Number the documents afresh.",
        ),
        Message(
            "A corpus is empty",
            "Error: .../data/01_raw/mine/train/train_corpus.txt:1: no documents; write <doc_id>TAB<text> lines",
            "Both splits need a document.",
        ),
        Message(
            "A CSV corpus has other columns",
            "Error: data/01_raw/mine/train/train_corpus.csv:1: no column doc_id, text; a corpus has the columns "
            "doc_id and text",
            "Rename two columns, or say what yours are called: `ingest.columns`, such as `{doc_id: id, text: "
            "[title, abstract]}`. Others are passed over.",
        ),
        Message(
            "A Parquet column is no text",
            "Error: data/01_raw/mine/train/train_corpus.parquet:1: doc_id is of the type double; save the "
            "column as text (or set ingest.on_invalid: skip)",
            "Ids are text or whole numbers, texts are text: pandas makes decimal numbers of ids when one is "
            'missing, `frame["doc_id"].astype("Int64")` keeps them. The number is the row\'s.',
        ),
        Message(
            "Two files of one corpus",
            "Error: data/01_raw/mine/train/train_corpus.txt: train_corpus.csv lies beside it and holds the "
            "same; remove all but one",
            "An old file would be read for the new one.",
        ),
        Message(
            "Keywords of no class",
            "Error: .../data/01_raw/mine/class_related_keywords.txt:47: there is no class 'teapotts'; correct "
            "the name or remove the line",
            "Copy the name from `classes.txt`.",
        ),
        Message(
            "Keywords of two classes",
            "Error: .../data/01_raw/mine/class_related_keywords.txt:47: 2 classes are called 'sets'; write the "
            "class id in place of the name, one of 22, 39",
            "As it says.",
        ),
        Message(
            "Gold labels of an unknown class",
            "Error: .../data/01_raw/mine/test/doc2labels.txt:1: unknown class '777'; use the ids of classes.txt",
            "Write ids, with commas between. Without gold labels, leave the file out.",
        ),
        Message(
            "Gold labels of an unknown document",
            "Error: .../data/01_raw/mine/test/doc2labels.txt:1: document 'x' is not in the test corpus; remove "
            "the line",
            "Take its own, or remove what is not there.",
        ),
        Message(
            "A label of an unknown document",
            "Error: .../data/01_raw/mine/labels.csv:2: test has no document 'x'; correct the id or remove the line",
            "`labels.csv` is by split and id. Ids with `.0` at the end were numbers to some program on the way: "
            "keep the column as text.",
        ),
        Message(
            "A label of an unknown class",
            "Error: .../data/01_raw/mine/labels.csv:2: unknown class 'teapotts'; use an id or a name of classes.txt",
            "Spaces or underscores, in any case of letters; several classes with `;` between them.",
        ),
        Message(
            "A label whose name two classes have",
            "Error: .../data/01_raw/mine/labels.csv:2: 2 classes are called 'sets'; write the path: `kitchen "
            "dining > cookware > sets`, or `arts crafts > painting > sets`",
            "Copy one of the paths. The same goes for one class to which several ways lead.",
        ),
        Message(
            "A label that is no path",
            "Error: .../data/01_raw/mine/labels.csv:2: in 'garden > kettles', 'kettles' is not a child of "
            "'garden'; correct the path, the ways to it: `kitchen dining > small appliances > kettles`",
            "A path names every class from a root on.",
        ),
        Message(
            "A document is labelled twice",
            "Error: .../data/01_raw/mine/labels.csv:3: document '0' of test is already on line 2; join the two, "
            "with ; between classes",
            "One line a document, with all of its classes.",
        ),
        Message(
            "Labels are not CSV",
            "Error: .../data/01_raw/mine/labels.csv:1: ; between the columns where CSV has a comma; save it "
            "with commas",
            'Spreadsheets in some languages write semicolons. Choose "CSV UTF-8 (comma delimited)"; the same '
            "cures `the file is UTF-16` and `bytes that are not UTF-8`.",
        ),
        Message(
            "A reviewed file is there already",
            "Error: review.csv: there already; import it first, move it away or give another name",
            "`kedro review --export` overwrites no file, since somebody may have worked in it.",
        ),
        Message(
            "A file of no known format",
            "Error: review.txt: the ending says no format; use .csv, .json, .jsonl, or --format",
            "[Review](review.md) has the formats.",
        ),
        Message(
            "Not TELEClass's folder",
            "Error: TELEClass/data: no such folder; give the folder data/Amazon-531 of a TELEClass clone, or one with "
            "Kaggle's train_40k.csv and val_10k.csv",
            "As it says; [data/01_raw/amazon531](../data/01_raw/amazon531/README.md) has the steps.",
        ),
        Message(
            "A dataset is there already",
            "Error: data/01_raw/mine: there already; give another name, or move it away",
            "`kedro new-dataset` writes over nothing.",
        ),
        Message(
            "Classes with a cycle",
            "Error: classes.csv:4: this edge closes a cycle: b -> c -> a -> b; a taxonomy is acyclic, remove "
            "one of these edges",
            "Of a table of parents and children; by the file's ending, [other "
            "forms](../data/01_raw/README.md#of-what-you-have) are read.",
        ),
        Message(
            "Texts with and without an id",
            "Error: texts.txt:2: the line has no TAB and others have one; write <doc_id>TAB<text> on every "
            "line, or no TAB at all",
            "As it says.",
        ),
        Message(
            "A table without the texts",
            "Error: texts.csv:1: no column text; give --text-column one of id, review",
            "As it says; it may be given several times.",
        ),
        Message(
            "A package for ontologies",
            "Error: classes.obo: reading .obo needs the package pronto; pip install 'hmltc_kedro[ontologies]'",
            "Or write the classes in one of the other forms.",
        ),
        Message(
            "Documents in another form",
            "Error: texts.docx: not .csv, .parquet or .xlsx; save it as one of them",
            "`kedro predict` reads and writes these.",
        ),
        Message(
            "Labels over their documents",
            "Error: texts.csv: the documents themselves; give another file to write to",
            "`kedro predict` writes over anything but what it reads.",
        ),
    ),
    "stages": (
        Message(
            "An entry was changed",
            "Error: entry `predictions` was changed since a run made it; `kedro refresh` makes it again; to use it "
            "as it is, remove data/07_model_output/mine/.predictions.json.made.json",
            "Damaged, copied from elsewhere, or edited: what is made of it would be no result of any run.",
        ),
        Message(
            "Entries that do not belong together",
            "Error: entry `metrics` was made from another `predictions` than there is now; `kedro refresh` makes it "
            "again; to use it as it is, remove data/08_reporting/mine/.metrics.json.made.json",
            "A stage was run alone after an earlier one came out differently; `kedro refresh` runs what lies between.",
        ),
        Message(
            "An entry that no run made",
            "Error: node `find_starved_classes` cannot use what it reads (KeyError: 'kept'), and no record says that a "
            "run made `silver_labels` (data/05_model_input/mine/silver_labels.parquet); `kedro refresh` makes it again",
            "The records, `.<file>.made.json` beside the files, were deleted or not copied with them.",
        ),
        Message(
            "An entry cannot be read",
            "Error: data/08_reporting/mine/metrics.json: cannot be read (...); `kedro refresh` makes a damaged "
            "entry again",
            "Half of it was lost, or it is no such file. The brackets say what the library says.",
        ),
        Message(
            "An entry cannot be written",
            "Error: data/08_reporting/mine/metrics.json: cannot be written (No space left on device); make room or "
            "give the right to write there, then `kedro refresh`",
            "Or a folder without rights, a disk for reading only, a file where a folder should be.",
        ),
        Message(
            "No silver label is kept",
            "Error: no silver label is kept and there is no synthetic document; lower pseudo_label.gap.value",
            "A `fixed` delta above every gap. Lower it, or use a `quantile`: [thresholds](thresholds.md).",
        ),
        Message(
            "The classes changed",
            "Error: entry `class_probabilities`: its 1 columns are of something else (2 are needed); run `kedro "
            "refresh`, which makes what is stale again",
            "`classes.txt` changed and `ingest` ran, but not what follows.",
        ),
        Message(
            "There is no trained classifier",
            "Error: data/06_models/mine/classifier: no classifier here; `kedro run --pipeline=train` makes one",
            "Give the folder that holds `settings.json`; `conf/paper` writes below `<dataset>/paper`.",
        ),
        Message(
            "The classifier cannot be read",
            "Error: data/06_models/mine/classifier: not a readable classifier (format 1, this version reads 4); "
            "train it again",
            "A model of another version, or, with other words in the brackets, an incomplete copy.",
        ),
        Message(
            "Gold labels of other documents",
            "Error: data/01_raw/mine/test/doc2labels.txt:1: none of these documents has a prediction; run infer",
            "The gold file belongs to another test corpus. Take its own, or `kedro refresh` if the corpus has "
            "changed since.",
        ),
    ),
    "encoder": (
        Message(
            "The encoder's backend is not installed",
            "Error: encoder_backend: openvino-int8 needs openvino and nncf, which are not installed; pip install "
            "'hmltc_kedro[openvino]'",
            "Install it, or set `encoder_backend` in `globals.yml` to `auto`. A model that was trained with "
            "`openvino-bf16` or `openvino-int8` labels with that alone.",
        ),
        Message(
            "The encoder cannot be found",
            "Error: encoder 'sentence-transformers/all-mpnet-base-v3' is neither a directory nor to be had from "
            "the hub (...); set the global `encoder` to `embedded`, a directory or a hub name",
            "Correct `encoder` in `globals.yml`. Without network, download the model elsewhere and give its directory.",
        ),
        Message(
            "The encoder's directory is none",
            "Error: models/mine: no modules.json; an encoder is a sentence-transformers directory",
            "A bare transformers model. Save it once with sentence-transformers "
            "(`SentenceTransformer(...).save(directory)`).",
        ),
        Message(
            "The encoder has no safetensors",
            "Error: models/mine: no weights as safetensors; if you trust its pytorch_model.bin, convert it: "
            'python -c "from sentence_transformers import SentenceTransformer as Model; '
            "Model('models/mine').save('mine-safetensors')\"",
            "Pickled weights can run code, and are never opened. Give the new directory as `encoder`.",
        ),
        Message(
            "A vector is not finite",
            "Error: encoder mine: the vector of 'a kitten' is not finite; take another encoder, or leave this text out",
            "Damaged weights, or half precision that overflows. Nothing of it is kept.",
        ),
        Message(
            "The vector cache cannot be read",
            "Error: data/04_feature/mine/vector_cache.sqlite: not a sound vector cache (file is not a "
            "database); move it away, its texts are encoded again",
            "A copy cut short, a disk that was full. With `cannot be used`, the brackets say why: locked, "
            "read-only, no space.",
        ),
    ),
    "llm": (
        Message(
            "No API key",
            "Error: no API key: set the environment variable OPENAI_API_KEY or the credential of `llm`, give "
            "llm.base_url of a server without keys, or use another client",
            "`export OPENAI_API_KEY=...`, or `conf/local/credentials.yml`; never in a file that git keeps. "
            "Which key goes where: [keys](llm.md#keys).",
        ),
        Message(
            "Credentials of another shape",
            "Error: credentials of `llm`: write {api_key: <key>} or {base_url_key: <key>}; there is no apikey",
            "Write it as it says, a key of digits in quotes.",
        ),
        Message(
            "A secret in the server's address",
            "Error: catalog entry `llm`, settings: base_url: Value error, base_url carries a login or a query; "
            "give the key as a credential",
            "The address alone there; the key as `LLM_API_KEY` or `base_url_key`.",
        ),
        Message(
            "The server refuses the key",
            "Error: ... refuses the API key (HTTP 401); check the credential of `llm` (LLM_API_KEY, or "
            "base_url_key in credentials.yml; OPENAI_API_KEY is not sent there) and that it may use the model. "
            "Answers so far are kept in data/03_primary/mine/llm_answers.sqlite; the next run asks for the rest",
            "A wrong or expired key, or none: a server under `llm_base_url` is sent [its own](llm.md#keys) "
            "alone. It cost one request.",
        ),
        Message(
            "The server has no such model",
            "Error: ... has no chat model 'gpt-9' there (HTTP 404: no such model); check llm.model and "
            "llm.base_url (it ends in /v1 for most servers). Answers so far are kept in ...",
            "Correct `llm_model` or `llm_base_url` in `globals.yml`.",
        ),
        Message(
            "No credit is left",
            "Error: the account at ... has no credit left; check its plan and billing. Answers so far are kept in ...",
            "Top it up and run again: only what is missing is asked.",
        ),
        Message(
            "The server cannot be reached",
            "Error: cannot reach http://127.0.0.1:9/v1 (...); check the network and llm.base_url. Answers so "
            "far are kept in ...",
            "Start it, or correct `llm_base_url`.",
        ),
        Message(
            "A proxy that cannot be used",
            "Error: ALL_PROXY: a SOCKS proxy needs the package socksio (`pip install socksio`); correct the "
            "environment variable or unset it, or name the server in NO_PROXY. Answers so far are kept in ...",
            "One of the three.",
        ),
        Message(
            "Certificates that are not there",
            "Error: SSL_CERT_FILE: /nonexistent/ca.pem: No such file or directory; correct the environment "
            "variable or unset it. Answers so far are kept in ...",
            "`unset SSL_CERT_FILE`, or the right file.",
        ),
        Message(
            "The server answers nothing that counts",
            "Error: ... left 8 questions in a row without an answer (3 answers did not fit: there is no text in "
            "it); check the server, llm.model and llm.base_url. Answers so far are kept in ...",
            "The brackets say why. `it was cut off`: a model that thinks longer than the answer may be; another "
            "model, or a larger `max_tokens` of the stage.",
        ),
        Message(
            "A limit without a price",
            "Error: llm.max_cost needs a price for 'my-model'; add llm.prices: {my-model: {input: <USD a "
            "million tokens>, output: <USD>}}, 0 for your own server",
            "Add the price under `settings` of the entry `llm` in `conf/base/catalog_resources.yml`.",
        ),
        Message(
            "The limit is reached",
            "Error: llm.max_cost: $0.00 of $0.0001 are spent and the next request could exceed it; raise "
            "max_cost. Answers so far are kept in ...",
            "A run stops a little before its limit, as each request reserves the most it could cost. The limit "
            "holds for one run.",
        ),
        Message(
            "Nothing to replay",
            "Error: data/03_primary/mine/llm_answers.sqlite: there is no such answer cache",
            "`llm: replay` repeats an earlier run with `openai`: copy its cache there.",
        ),
        Message(
            "Replay lacks an answer",
            "Error: data/03_primary/mine/llm_answers.sqlite: no answer to describe_class for '0' with this "
            "prompt, its parameters and gpt-4o-mini; replay what that run asked, or use the openai client",
            "Keywords, taxonomy, temperature or model are not those of the run; `openai` asks for the rest.",
        ),
        Message(
            "A recorded answer is none",
            "Error: data/01_raw/mine/llm_responses.jsonl:1: not a recorded answer ('class_id'); write {\"task\": "
            '..., "class_id" or "document": ..., "answer": {...}}',
            "One JSON object a line, as it says.",
        ),
    ),
}
"""By chapter."""
