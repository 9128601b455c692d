"""A key goes to the server it was given for, by name, and nowhere else; and the way to that server."""

from __future__ import annotations

import copy
import json
import logging
import re
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DatasetError
from pydantic import SecretStr

from fake_llm import KEY, Body, failure, good, make_requests, serve
from hmltc_kedro.config import HiddenDict, HiddenText, ProjectConfigLoader, hide_values
from hmltc_kedro.datasets.llm import LLMDataset
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm import OpenAIClient, OpenAISettings
from hmltc_kedro.llm.connection import ACCOUNT_HEADERS, OWN_HEADERS, connect
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from kedro_project import REPOSITORY, Project

FOREIGN = "sk-for-another-server"


def reply(body: Body, n: int) -> Any:
    return good(body)


def open_dataset(folder: Path, credentials: object, **settings: Any) -> LLMDataset:
    return LLMDataset(
        client="openai",
        recordings="none",
        cache=str(folder / "answers.sqlite"),
        settings={"backoff": 0.01, **settings},
        credentials=credentials,
    )


# ------------------------------------------------------------------ which key


def test_the_servers_own_key_is_sent_and_openais_is_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", FOREIGN)
    with serve(reply) as (server, url):
        given = {"api_key": FOREIGN, "base_url_key": KEY}
        open_dataset(tmp_path, given, base_url=url).load().ask(make_requests(2))
    assert server.keys == {KEY}


def test_without_a_key_of_its_own_a_server_is_sent_none(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", FOREIGN)
    with serve(reply) as (server, url):
        open_dataset(tmp_path, {"api_key": FOREIGN}, base_url=url).load().ask(make_requests(2))
    assert all("authorization" not in headers for headers in server.headers)
    assert FOREIGN not in json.dumps(server.headers)


def test_the_environment_holds_the_key_of_an_own_server_under_its_own_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", FOREIGN)
    monkeypatch.setenv("LLM_API_KEY", KEY)
    with serve(reply) as (server, url):
        open_dataset(tmp_path, {"api_key": FOREIGN, "base_url_key": None}, base_url=url).load().ask(make_requests(2))
    assert server.keys == {KEY}


@pytest.mark.parametrize("form", ["http://{}/v1", "{}", "//{}/other"])
def test_keys_by_server_go_to_the_server_of_that_name_alone(tmp_path: Path, monkeypatch, form: str) -> None:
    """What lies in conf/local holds in every environment, and each may name another server."""
    monkeypatch.setenv("OPENAI_API_KEY", FOREIGN)
    with serve(reply) as (one, url), serve(reply) as (other, other_url):
        name = form.format(url.removeprefix("http://").removesuffix("/v1"))
        given = {"api_key": FOREIGN, "base_url_key": {name: KEY, "llm.example.org": FOREIGN, "127.0.0.1": FOREIGN}}
        for address in (url, other_url):
            folder = tmp_path / address.split(":")[-1].removesuffix("/v1")  # the answers of one are those of the other
            folder.mkdir()
            open_dataset(folder, given, base_url=address).load().ask(make_requests(2))
    assert one.keys == {KEY}
    assert other.total == 2 and all("authorization" not in headers for headers in other.headers)


def test_key_of_another_server_is_never_sent_to_openai(tmp_path: Path) -> None:
    for given in ({"base_url_key": KEY}, {"base_url_key": {"api_key": KEY, "api.openai.com": KEY}}):
        with pytest.raises(InputError, match="no API key"):
            open_dataset(tmp_path, given).load().ask(make_requests(1))


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        (None, "OPENAI_API_KEY"),
        ("https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("https://eu.api.openai.com/v1", "OPENAI_API_KEY"),
        ("http://api.openai.com/v1", "LLM_API_KEY"),
        ("https://api.openai.com.example.org/v1", "LLM_API_KEY"),
        ("https://notapi.openai.com/v1", "LLM_API_KEY"),
        ("https://mine.openai.azure.com/openai/v1", "LLM_API_KEY"),
        ("http://localhost:8000/v1", "LLM_API_KEY"),
    ],
)
def test_a_server_is_known_by_its_address(url: str | None, variable: str) -> None:
    assert OpenAISettings(base_url=url).key_variable == variable


def test_openai_under_its_own_address_wants_a_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no API key: set the environment variable OPENAI_API_KEY"):
        OpenAIClient(OpenAISettings(base_url="https://api.openai.com/v1"), tmp_path / "a").ask(make_requests(1))


def test_a_refused_key_names_the_variable_of_that_server(tmp_path: Path) -> None:
    with serve(lambda body, n: failure(401)) as (_, url):
        with pytest.raises(InputError, match="LLM_API_KEY, or base_url_key in credentials.yml; OPENAI_API_KEY is not"):
            open_dataset(tmp_path, None, base_url=url).load().ask(make_requests(1))


# ------------------------------------------------------------------ what else the environment says

AMBIENT = {
    "OPENAI_ORG_ID": "org-foreign",
    "OPENAI_PROJECT_ID": "proj-foreign",
    "OPENAI_ADMIN_KEY": "sk-admin-foreign",
    "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer sk-custom-foreign\nX-Gateway-Key: gw-foreign",
}


def test_nothing_of_the_environment_goes_to_an_own_server(make_client, monkeypatch) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    with serve(reply) as (server, url):
        make_client(url).ask(make_requests(2))
    assert "foreign" not in json.dumps(server.headers)
    assert server.keys == {KEY}
    assert set().union(*server.headers) <= OWN_HEADERS


def test_a_base_url_of_the_environment_is_not_used_and_that_is_said(tmp_path: Path, monkeypatch, caplog) -> None:
    """The address of each request is looked at just before it would leave."""
    seen: list[tuple[str, dict[str, str]]] = []

    async def stop(self: Any, request: Any) -> Any:
        seen.append((str(request.url), dict(request.headers)))
        raise OSError("no network in tests")

    import httpx2

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", stop)
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    with serve(reply) as (server, url):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        client = OpenAIClient(OpenAISettings(backoff=0.01, max_retries=1), tmp_path / "a.sqlite")
        with pytest.raises(InputError, match="cannot reach OpenAI"):
            client.ask(make_requests(3))
    assert server.total == 0
    assert {address for address, _ in seen} == {"https://api.openai.com/v1/chat/completions"}
    headers = seen[0][1]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-foreign", "proj-foreign")
    assert set(headers) <= OWN_HEADERS | ACCOUNT_HEADERS
    assert "OPENAI_BASE_URL is not used" in caplog.text and url not in caplog.text


# ------------------------------------------------------------------ proxies and certificates


@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("socks5://user:pw-canary@127.0.0.1:1", "a SOCKS proxy needs the package socksio"),
        ("ftp://user:pw-canary@127.0.0.1:1", "write http://, https:// or socks5://"),
        ("http://user:pw-canary@127.0.0.1:port", "write http://, https:// or socks5://"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_line_with_its_variable(
    make_client, monkeypatch, variable: str, proxy: str, says: str
) -> None:
    monkeypatch.setenv(variable, proxy)
    with serve(reply) as (server, url):
        with pytest.raises(InputError, match=f"^{variable}: {says}") as caught:
            make_client(url).ask(make_requests(2))
        assert "pw-canary" not in str(caught.value) and "\n" not in str(caught.value)
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        assert all(answer.value for answer in make_client(url).ask(make_requests(2)))
    assert server.total == 2


@pytest.mark.parametrize(
    ("variable", "kind", "says"),
    [
        ("SSL_CERT_FILE", "missing", "No such file or directory"),
        ("SSL_CERT_FILE", "text", "no certificates in it"),
        ("SSL_CERT_DIR", "missing", "is no folder"),
    ],
)
def test_certificates_that_are_none_are_one_line(
    make_client, tmp_path: Path, monkeypatch, variable: str, kind: str, says: str
) -> None:
    path = tmp_path / "ca.pem"
    if kind == "text":
        path.write_text("no certificate")
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(InputError, match=f"^{variable}: .*{re.escape(says)}.* unset it") as caught:
        make_client("http://127.0.0.1:9/v1").ask(make_requests(2))
    assert "\n" not in str(caught.value)


def test_certificates_of_the_environment_are_used(monkeypatch) -> None:
    file = ssl.get_default_verify_paths().cafile
    if file is None:
        pytest.skip("this machine has no file of certificates")
    monkeypatch.setenv("SSL_CERT_FILE", file)
    assert connect(OpenAISettings(), SecretStr(KEY)).base_url.host == "api.openai.com"


# ------------------------------------------------------------------ addresses and credentials that are none


@pytest.mark.parametrize(
    "url",
    [
        "http://user:sk-canary@127.0.0.1:9/v1",
        "http://sk-canary@127.0.0.1:9/v1",
        "http://127.0.0.1:9/v1?key=sk-canary",
        "http://127.0.0.1:9/v1#sk-canary",
        "http://user:sk-canary/with/slash@host/v1",
        "http://[sk-canary/v1",
        "sk-canary",
        "http://host/v1 sk-canary",
    ],
)
def test_a_secret_in_the_address_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="catalog entry `llm`, settings: base_url: ") as caught:
        open_dataset(tmp_path, None, base_url=url).identify()
    assert "canary" not in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.__suppress_context__
    with pytest.raises(DatasetError, match="settings: base_url: ") as wrapped:
        open_dataset(tmp_path, None, base_url=url).load()
    assert "canary" not in str(wrapped.value)


def test_a_key_among_the_settings_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="api_key: Extra inputs are not permitted") as caught:
        open_dataset(tmp_path, None, api_key="sk-canary").load()
    assert "canary" not in str(caught.value)
    with pytest.raises(ValueError, match="api_key") as bare:
        OpenAISettings(api_key="sk-canary")  # type: ignore[call-arg]
    assert "canary" not in str(bare.value)


@pytest.mark.parametrize(
    ("credentials", "says"),
    [
        ("sk-canary", "this is no mapping"),
        (["sk-canary"], "this is no mapping"),
        ({"apikey": "sk-canary"}, "there is no apikey"),
        ({"api_key": "sk-canary", "key": "sk-canary"}, "there is no key"),
        ({"api_key": 987654321}, "api_key is no text, put it into quotes"),
        ({"base_url_key": ["sk-canary"]}, "base_url_key is no text"),
        ({"base_url_key": {"sk-canary": 987654321}}, "base_url_key is no text"),
    ],
)
def test_credentials_of_another_shape_are_one_line(tmp_path: Path, credentials: object, says: str) -> None:
    with pytest.raises(InputError, match=f"^credentials of `llm`: write .*; {says}") as caught:
        open_dataset(tmp_path, credentials)
    assert not {"canary", "987654321"} & set(re.findall(r"\w+", str(caught.value)))


def test_no_credentials_are_no_fault(tmp_path: Path) -> None:
    for nothing in (None, {}, {"api_key": None}, {"api_key": "", "base_url_key": None}):
        open_dataset(tmp_path, nothing)


# ------------------------------------------------------------------ credentials.yml


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    folder = tmp_path / "conf"
    for name in ("base", "local", "paper"):
        (folder / name).mkdir(parents=True)
    (folder / "base" / "credentials.yml").write_text((REPOSITORY / "conf/base/credentials.yml").read_text("utf-8"))
    return folder


def load(conf: Path, env: str | None = None) -> dict[str, Any]:
    return ProjectConfigLoader(str(conf), env=env, **CONFIG_LOADER_ARGS)["credentials"]


@pytest.mark.parametrize("env", [None, "local", "paper", "base"])
def test_what_lies_in_local_holds_in_every_environment(conf: Path, env: str | None) -> None:
    (conf / "local" / "credentials.yml").write_text("openai: {base_url_key: own}\n")
    assert load(conf, env)["openai"]["base_url_key"] == "own"


def test_an_environment_goes_before_local_and_local_before_base(conf: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert load(conf, "paper") == {"bulk": {}, "openai": {"api_key": KEY, "base_url_key": None}}
    (conf / "local" / "credentials.yml").write_text("openai: {api_key: of local}\nbucket: {key: s3}\n")
    (conf / "paper" / "credentials.yml").write_text("openai: {api_key: of paper}\n")
    rest = {"bulk": {}, "bucket": {"key": "s3"}}
    assert load(conf, "paper") == {"openai": {"api_key": "of paper"}, **rest}
    assert load(conf) == {"openai": {"api_key": "of local"}, **rest}


def test_a_project_without_local_has_credentials(conf: Path) -> None:
    (conf / "local").rmdir()
    assert load(conf, "paper")["openai"] == {"api_key": None, "base_url_key": None}


@pytest.mark.parametrize("where", ["local", "paper"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("openai: {api_key: '${oc.env:NO_SUCH_VAR}'}", "the environment variable NO_SUCH_VAR is not set; .*,null}"),
        ("openai: {api_key: '${sk-canary}'}", "cannot be resolved"),
        ("openai: {api_key: '${sk-canary'}", "cannot be resolved"),
        ("openai: {api_key: sk-canary", "Invalid YAML or JSON file .*credentials.yml, unable to read line"),
    ],
)
def test_credentials_that_cannot_be_read_are_one_line(conf: Path, where: str, text: str, says: str) -> None:
    (conf / where / "credentials.yml").write_text(f"{text}\n")
    with pytest.raises(InputError, match=says) as caught:
        load(conf, "paper")
    assert "canary" not in str(caught.value) and "\n" not in str(caught.value)


def test_hidden_values_are_there_and_in_no_representation() -> None:
    hidden = hide_values({"openai": {"api_key": "sk-canary", "port": 987654321}, "bare": "sk-canary", "list": ["sk-x"]})
    for shown in (repr(hidden), str(hidden), f"{hidden}", repr(hidden["openai"]), repr(hidden["bare"]), str([hidden])):
        assert not re.search("canary|987654321|sk-x", shown)
    assert "openai" in repr(hidden)
    assert hidden == {"openai": {"api_key": "sk-canary", "port": 987654321}, "bare": "sk-canary", "list": ["sk-x"]}
    assert str(hidden["bare"]) == "sk-canary" and json.loads(json.dumps(hidden)) == hidden
    copied = copy.deepcopy(hidden)  # by the protocol that carries objects to workers as well
    assert type(copied) is HiddenDict and type(copied["bare"]) is HiddenText and copied == hidden


@pytest.fixture
def own_project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_kedros_loggers_at_debug_show_no_key(own_project: Project) -> None:
    """The hook manager prints the arguments of every hook, all credentials among them."""
    secrets = "openai: {api_key: sk-canary-1, base_url_key: sk-canary-2}\nbucket: sk-canary-3\nport: {n: 987654321}\n"
    (own_project.folder / "conf/local/credentials.yml").write_text(secrets)
    lines = (own_project.folder / "conf/logging.yml").read_text("utf-8").replace("level: WARNING", "level: DEBUG")
    (own_project.folder / "debug.yml").write_text(f"{lines}  level: DEBUG\n")
    environment = {
        "PYTHONPATH": str(REPOSITORY / "src"),
        "KEDRO_LOGGING_CONFIG": str(own_project.folder / "debug.yml"),
        "KEDRO_DISABLE_TELEMETRY": "1",
        "LLM_API_KEY": "sk-canary-4",
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "kedro", "run", "--env=test", "--pipelines=ingest"]
    done = subprocess.run(command, cwd=own_project.folder, env=environment, capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert "conf_creds: {'bulk': ***, 'openai': ***" in printed
    assert not re.search("canary|987654321", printed)


def test_the_key_is_in_no_debug_log_of_a_request(make_client, caplog, monkeypatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", FOREIGN)
    with serve(reply) as (_, url):
        make_client(url).ask(make_requests(1))
    assert "HTTP" in caplog.text and KEY not in caplog.text and FOREIGN not in caplog.text
