"""An OpenAPI document -> what can be asked: the request of an operation, and the schema of its answer."""

import http.client
import json
import random
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import jsonschema_rs

from benchmark.errors import ScenarioError, ServiceRefused
from benchmark.scenario_init.asked import Asked, variable_for
from benchmark.scenario_init.making import NO_EXAMPLE, example_of, make_value, plain_schema, resolved

_TIMEOUT_S: Final = 15.0
_MAX_BYTES: Final = 10_000_000
_CALLED: Final = {"post": 0, "get": 1}  # the others change something, and are asked only if they are named
_METHODS: Final = ("post", "get", "put", "patch", "delete")
_SHOWN: Final = 12


class Unusable(Exception):
    """Why an operation cannot be asked, in a few words."""


def fetch_document(source: str, headers: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return an OpenAPI document, from a file, its URL, or the URL of its service, and where it was found.

    Raises ServiceRefused or ScenarioError.
    """
    if "://" not in source:
        path = Path(source)
        if not path.is_file():
            raise ScenarioError(f"{source!r} is neither a URL nor a file: expected such as http://127.0.0.1:9000")
        return source, _parsed(source, path.read_bytes())
    url = source if source.rstrip("/").endswith((".json", ".yaml")) else source.rstrip("/") + "/openapi.json"
    return url, _parsed(url, _fetched(url, headers))


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but sends no token to another host."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            raise ServiceRefused(
                f"{req.full_url} redirects to another host, {urlsplit(newurl).netloc}: give the URL that you mean"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetched(url: str, headers: Mapping[str, str]) -> bytes:
    opener = urllib.request.build_opener(_SameHost, urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=_TIMEOUT_S) as answer:
            body: bytes = answer.read(_MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        hint = "give the key with --header" if error.code in {401, 403} else "give where the document is with --openapi"
        raise ServiceRefused(f"{url} answers {error.code}: {hint}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise ServiceRefused(
                f"the certificate of {urlsplit(url).netloc} is not accepted ({reason.verify_message}): "
                "use the name that it was made for, or set SSL_CERT_FILE to the authority that signed it"
            ) from error
        why = getattr(reason, "strerror", None) or reason
        raise ServiceRefused(f"{url} cannot be reached ({why}): is it up, and the port right?") from error
    if len(body) > _MAX_BYTES:
        raise ServiceRefused(f"{url} is larger than {_MAX_BYTES // 1_000_000} MB: that is no OpenAPI document")
    return body


def _parsed(where: str, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        begin = body[:40].decode(errors="replace")
        raise ScenarioError(f"{where} is not JSON, it begins with {begin!r}: expected an OpenAPI document") from error
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise ScenarioError(f"{where} has no `paths`: expected an OpenAPI document")
    return document


def read_operation(document: Mapping[str, Any], wanted: str = "", seed: int = 1, bodies: int = 1) -> Asked:
    """Return what an operation asks: the named one, such as `POST /score`, or the first that can be asked.

    Raises ScenarioError.
    """
    operations = list(_operations(document))
    names = [f"{method.upper()} {path}" for method, path, _ in operations]
    if wanted and wanted not in names:
        raise ScenarioError(f"there is no operation {wanted!r}; choose from {', '.join(names[:_SHOWN]) or 'none'}")
    tried, found = [], None
    for name, (method, path, operation) in zip(names, operations, strict=True):
        if (wanted and name != wanted) or (not wanted and method not in _CALLED):
            continue
        try:
            asked = _asked(document, method, path, operation, seed, bodies)
        except Unusable as error:
            tried.append(f"{name} {error}")
            continue
        if found is None:
            found = asked
        else:
            found.others.append(name)
    if found is None:
        why = "; ".join(tried[:3]) or "it has none that is POST or GET"
        raise ScenarioError(f"the OpenAPI document has no operation that can be asked ({why}): write the file by hand")
    return found


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield all operations, with what belongs to their path: those with a body first."""
    found = []
    for path, item in document["paths"].items():
        each = resolved(document, item)
        for method in _METHODS:
            operation = each.get(method) if isinstance(each, Mapping) else None
            if isinstance(operation, Mapping):
                shared = list(each.get("parameters", ()))
                parameters = [resolved(document, one) for one in [*shared, *operation.get("parameters", ())]]
                found.append((method, path, {**operation, "parameters": parameters}))
    yield from sorted(found, key=lambda each: _CALLED.get(each[0], 9))


def _asked(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any], seed: int, count: int
) -> Asked:
    draw = random.Random(seed)
    filled, headers = _with_parameters(document, path, operation["parameters"], draw)
    status, schema = _answer(document, operation)
    asked = Asked(
        method=method.upper(),
        path=_prefix(document) + filled,
        title=str(operation.get("summary") or operation.get("operationId") or f"{method.upper()} {path}"),
        headers={**_secured(document, operation), **headers},
        status=status,
        answer_schema=schema,
    )
    media = _body_media(document, operation)
    if media is not None:
        kind, content = media
        asked.headers["Content-Type"] = kind
        bodies, asked.body_is = _bodies(document, content, draw, count)
        asked.body, asked.more_bodies = bodies[0], bodies[1:]
    return asked


def _prefix(document: Mapping[str, Any]) -> str:
    """Return the path below which all operations are."""
    servers = document.get("servers")
    first = servers[0].get("url", "") if isinstance(servers, list) and servers else document.get("basePath", "")
    path = urlsplit(str(first)).path.rstrip("/")
    return path if "{" not in path else ""


def _with_parameters(
    document: Mapping[str, Any], path: str, parameters: list[Any], draw: random.Random
) -> tuple[str, dict[str, str]]:
    """Return a path with its parameters filled in, and the headers that are required. Raises Unusable."""
    query, headers = {}, {}
    for each in parameters:
        name, place = str(each.get("name")), each.get("in")
        if place not in {"path", "query", "header"} or not (each.get("required") or place == "path"):
            continue
        if place == "header":
            headers[name] = f"env:{variable_for(name)}"
            continue
        value = example_of(document, each)
        value = make_value(document, each.get("schema", each), draw) if value is NO_EXAMPLE else value
        if value is None or isinstance(value, dict | list):
            raise Unusable(f"needs the parameter {name}, for which there is no example")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if place == "path":
            path = path.replace(f"{{{name}}}", quote(text, safe=""))
        else:
            query[name] = text
    if "{" in path:
        raise Unusable("does not say what the parameters of its path are")
    return path + (f"?{urlencode(query)}" if query else ""), headers


def _secured(document: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that the operation's security asks for, each from a variable."""
    required = operation.get("security", document.get("security")) or []
    schemes = {**document.get("securityDefinitions", {}), **document.get("components", {}).get("securitySchemes", {})}
    headers = {}
    for name in required[0] if required else ():
        scheme = resolved(document, schemes.get(name, {}))
        if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
            headers[str(scheme["name"])] = f"env:{variable_for(str(scheme['name']))}"
        elif scheme.get("type") in {"oauth2", "openIdConnect"} or scheme.get("scheme") == "bearer":
            headers["Authorization"] = "Bearer env:MY_TOKEN"
        elif scheme.get("type") == "basic" or scheme.get("scheme") == "basic":
            headers["Authorization"] = "Basic env:MY_TOKEN"
    return headers


def _body_media(document: Mapping[str, Any], operation: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return the JSON body that an operation takes, None if it needs none. Raises Unusable."""
    for each in operation["parameters"]:
        if each.get("in") == "body":  # of Swagger 2
            return "application/json", each
    body = resolved(document, operation.get("requestBody"))
    if not isinstance(body, Mapping):
        return None
    content = body.get("content") or {}
    for kind, media in content.items():
        if kind.partition(";")[0].strip().endswith(("/json", "+json")) or kind == "*/*":
            return ("application/json" if "*" in kind else kind), media
    if not body.get("required"):
        return None
    raise Unusable(f"takes {', '.join(content) or 'a body of no kind'}, expected application/json")


def _bodies(
    document: Mapping[str, Any], media: Mapping[str, Any], draw: random.Random, count: int
) -> tuple[list[str], str]:
    """Return bodies, the example first, then such as the schema allows. Raises Unusable."""
    schema = media.get("schema", {})
    bodies = []
    examples = [value["value"] for each in _examples(media) if "value" in (value := resolved(document, each))]
    single = example_of(document, media)
    single = example_of(document, schema) if single is NO_EXAMPLE else single
    examples = examples or ([] if single is NO_EXAMPLE else [single])
    bodies = [json.dumps(example) for example in examples[:count]]
    is_valid = jsonschema_rs.validator_for(plain_schema(document, schema)).is_valid
    while len(bodies) < count:
        made = make_value(document, schema, draw)
        if not is_valid(made):
            if bodies:
                break
            raise Unusable("has no example of its body, and none could be made from its schema")
        bodies.append(json.dumps(made))
    return bodies, "the example of the document" if examples else "made from the document's schema"


def _examples(media: Mapping[str, Any]) -> list[Any]:
    found = media.get("examples")
    return list(found.values()) if isinstance(found, Mapping) else []


def _answer(document: Mapping[str, Any], operation: Mapping[str, Any]) -> tuple[int, Any]:
    """Return the status of the first good answer, and the schema of its JSON content if there is one."""
    responses = operation.get("responses") or {}
    good = sorted(str(status) for status in responses if str(status).isdigit() and str(status).startswith("2"))
    if not good:
        return 200, None
    response = resolved(document, responses.get(good[0], responses.get(int(good[0]))))
    content = response.get("content") or {}
    schema = next((media.get("schema") for kind, media in content.items() if "json" in kind), response.get("schema"))
    plain = plain_schema(document, schema) if schema else None
    return int(good[0]), plain or None
