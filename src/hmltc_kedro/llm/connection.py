"""The connection to a server: its address, what is sent besides the question, and the way there.

The `openai` package reads a dozen variables of the environment (OPENAI_BASE_URL, OPENAI_ORG_ID, OPENAI_ADMIN_KEY,
OPENAI_CUSTOM_HEADERS, ...) and sends what it finds to whatever server it talks to. Here the address is that of the
settings, and a header that is not listed below is taken out before a request leaves.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from pydantic import SecretStr

from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.settings import OpenAISettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

logger = logging.getLogger(__name__)

OWN_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"}
    | {"transfer-encoding", "authorization", "x-stainless-raw-response"}
)
"""What a request to any server may carry; by the last the package knows that it is to hand out the bare answer."""

ACCOUNT_HEADERS = frozenset({"openai-organization", "openai-project"})
"""What one to OpenAI itself may carry too: OPENAI_ORG_ID and OPENAI_PROJECT_ID say whose account pays."""

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def connect(settings: OpenAISettings, key: SecretStr | None) -> AsyncOpenAI:
    """Return a client of the `openai` package that speaks to the server of `settings` and sends it `key` alone.

    Raises:
        InputError: the environment names a proxy or certificates that cannot be used; the message names the variable.
    """
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

    if settings.base_url is None and os.environ.get("OPENAI_BASE_URL"):
        logger.warning("OPENAI_BASE_URL is not used; the questions go to OpenAI. llm.base_url names another server")
    allowed = OWN_HEADERS | (ACCOUNT_HEADERS if settings.is_openai else frozenset())

    async def write_headers(request: Any) -> None:
        for name in set(request.headers) - allowed:
            del request.headers[name]
        request.headers.pop("authorization", None)
        if key is not None:
            request.headers["Authorization"] = f"Bearer {key.get_secret_value()}"

    certificates = _load_certificates()
    try:
        http = DefaultAsyncHttpxClient(
            verify=certificates or True,
            trust_env=not proxy_bypass(urlsplit(settings.address).hostname or ""),
            follow_redirects=False,  # the key is for this server, not for the one it points to
            event_hooks={"request": [write_headers]},
        )
    except Exception as error:  # ImportError, ValueError or httpx' InvalidURL, which is neither
        raise InputError(_explain_proxy(error)) from None
    return AsyncOpenAI(
        api_key="written by the hook above",
        base_url=settings.address,
        timeout=Timeout(settings.timeout, connect=min(10.0, settings.timeout)),
        max_retries=0,
        http_client=http,
    )


def _load_certificates() -> ssl.SSLContext | None:
    """Return what SSL_CERT_FILE and SSL_CERT_DIR name; None where they name nothing.

    Raises:
        InputError: there is nothing of the kind.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if folder and not any(Path(part).is_dir() for part in folder.split(os.pathsep)):
        raise InputError(f"SSL_CERT_DIR: {folder} is no folder; correct the environment variable or unset it")
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None) if file or folder else None
    except OSError as error:
        reason = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise InputError(f"SSL_CERT_FILE: {file}: {reason}; correct the environment variable or unset it") from None


def _explain_proxy(error: Exception) -> str:
    """Say which variable names a proxy that cannot be used; its value may hold a password."""
    names = sorted(name for name in os.environ if name.lower() in PROXIES and os.environ[name])
    socks = "a SOCKS proxy needs the package socksio (`pip install socksio`)"
    reason = socks if isinstance(error, ImportError) else "write http://, https:// or socks5://, a server and a port"
    return (
        f"{', '.join(names) or 'the proxy of this system'}: {reason}; correct the environment variable or unset it, "
        "or name the server in NO_PROXY"
    )
