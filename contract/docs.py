"""The pages of a service: index, Swagger UI and the OpenAPI document.

Swagger UI's files come from an installed package, so that /docs works without internet access. Each page says itself
what it may load and run, so that no answer needs a header for it: nothing from elsewhere, and no script but its own.
"""

import base64
import hashlib
import html
from functools import cache
from importlib.resources import files
from typing import Any

from contract import api_keys, errors, schema
from contract.settings import Settings

HTML_CONTENT_TYPE = "text/html; charset=utf-8"
_ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
_NUMBERS_EXAMPLE = [5.1, 3.5, 1.4, 0.2]
_GET_PATHS = {
    schema.HEALTHCHECK_PATH: "The process lives",
    schema.READY_PATH: "Its dependencies answer",
}

_SECURITY = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": api_keys.API_KEY_HEADER},
    "Bearer": {"type": "http", "scheme": "bearer"},
}


@cache
def asset(name: str) -> tuple[bytes, str]:
    """Return a file of Swagger UI and its content type. Raises UnknownPath."""
    if name not in _ASSETS:
        raise errors.UnknownPath()
    return files("swagger_ui").joinpath("static", name).read_bytes(), _ASSETS[name]


def index_page(settings: Settings) -> bytes:
    """Return the page at /: alive, which service, its endpoints."""
    title = html.escape(_title(settings))
    predict = schema.predict_path(settings.architecture)
    links = "".join(f'<li><a href="{path}">GET {path}</a></li>' for path in (*_GET_PATHS, schema.OPENAPI_PATH))
    return _page(
        title,
        f"<h1>{title}</h1><p>Alive.</p><ul><li>POST {predict}</li>{links}</ul>"
        f'<p><a href="{schema.DOCS_PATH}">Try it in the browser</a></p>',
        "<style>body{font:16px/1.6 system-ui,sans-serif;margin:2rem auto;max-width:40rem;padding:0 1rem}</style>",
    )


def swagger_page(settings: Settings) -> bytes:
    """Return the page at /docs."""
    assets = schema.ASSETS_PATH
    script = f'SwaggerUIBundle({{url: "{schema.OPENAPI_PATH}", dom_id: "#swagger-ui"}})'
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _page(
        html.escape(_title(settings)),
        f'<div id="swagger-ui"></div><script src="{assets}/swagger-ui-bundle.js"></script><script>{script}</script>',
        f'<link rel="stylesheet" href="{assets}/swagger-ui.css">',
        f"{_POLICY}; script-src 'self' 'sha256-{digest}'; connect-src 'self'",
    )


def openapi_document(settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI document of a service."""
    limit = schema.MAX_NUMBERS if settings.role == "scoring" else schema.MAX_MODEL_NUMBERS
    return {
        "openapi": "3.1.0",
        "info": {"title": _title(settings), "version": "1", "description": _description(settings)},
        "paths": {
            **{path: {"get": _get_operation(path, summary, settings)} for path, summary in _GET_PATHS.items()},
            schema.predict_path(settings.architecture): {"post": _predict_operation(settings)},
        },
        **({"security": [{name: []} for name in _SECURITY]} if api_keys.asks_for_keys(settings) else {}),
        "components": {
            **({"securitySchemes": _SECURITY} if api_keys.asks_for_keys(settings) else {}),
            "schemas": {
                "Numbers": {
                    "type": "array",
                    "items": {"type": "number"},
                    "minItems": 1,
                    "maxItems": limit,
                    "examples": [_NUMBERS_EXAMPLE],
                },
                "Answer": {
                    "type": "object",
                    "properties": {"detail": {"type": "number", "minimum": 0, "examples": [0.0451]}},
                    "required": ["detail"],
                    "additionalProperties": False,
                },
                "Status": {
                    "type": "object",
                    "properties": {"status": {"const": "OK"}},
                    "required": ["status"],
                    "additionalProperties": False,
                },
                "Problem": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                    },
                    "required": ["type", "title", "status", "detail"],
                    "additionalProperties": False,
                },
            },
        },
    }


def _predict_operation(settings: Settings) -> dict[str, Any]:
    statuses: list[type[errors.ServiceError]] = [errors.InvalidRequest, errors.BodyTooLarge, errors.Unavailable]
    statuses += _refusals(settings)
    parameters = []
    if settings.role == "scoring":
        statuses += [errors.UnknownEntity, errors.BadModelAnswer, errors.ModelTimeout]
        parameters.append(
            {
                "name": "entity_id",
                "in": "query",
                "required": False,
                "description": "Whose stored features to score; by default chosen by a hash of the body.",
                "schema": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,9})$"},
            }
        )
    return {
        "operationId": "predict",
        "summary": "Score" if settings.role == "scoring" else "Ask the model",
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {schema.JSON_CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Numbers"}}},
        },
        "responses": {"200": _response("Answer", "The duration drawn, in seconds"), **_problems(statuses)},
    }


def _get_operation(path: str, summary: str, settings: Settings) -> dict[str, Any]:
    statuses: list[type[errors.ServiceError]] = []
    open_to_all = path == schema.HEALTHCHECK_PATH
    if path == schema.READY_PATH and settings.role == "scoring":
        statuses = [errors.Unavailable, *_refusals(settings)]
    return {
        "operationId": path.rpartition("/")[2],
        "summary": summary,
        "responses": {
            "200": _response("Status", summary),
            **_problems(statuses),
        },
        **({"security": []} if open_to_all and api_keys.asks_for_keys(settings) else {}),
    }


def _refusals(settings: Settings) -> list[type[errors.ServiceError]]:
    return [errors.Unauthorized, errors.Forbidden] if api_keys.asks_for_keys(settings) else []


def _problems(statuses: list[type[errors.ServiceError]]) -> dict[str, Any]:
    return {
        str(int(error.status)): {
            "description": error.status.phrase,
            "content": {errors.PROBLEM_CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for error in statuses
    }


def _response(name: str, description: str) -> dict[str, Any]:
    content = {schema.JSON_CONTENT_TYPE: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"description": description, "content": content}


def _title(settings: Settings) -> str:
    service = "scoring handler" if settings.role == "scoring" else "model"
    return f"{settings.architecture} {service}"


def _description(settings: Settings) -> str:
    if settings.role == "scoring":
        return "Fetches stored features from Redis, asks the models, answers with the mean of their answers."
    return "Waits as long as a remote model would, and answers with the duration that it drew."


def _page(title: str, body: str, head: str, policy: str = _POLICY) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{schema.ASSETS_PATH}/favicon-32x32.png"><title>{title}</title>{head}</head>'
        f"<body>{body}</body></html>"
    ).encode()
