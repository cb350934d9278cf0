"""Values for JSON schemas: the example that is given, or else one that conforms; and schemas without references."""

import random
import string
from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
_DEEPEST: Final = 12  # of what refers to itself
_ABSENT: Final = object()
_NOISE: Final = {"title", "description", "example", "examples", "default", "deprecated", "externalDocs", "xml",
                 "discriminator", "nullable", "readOnly", "writeOnly"}  # fmt: skip
_BY_FORMAT: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "YQ==",
}


def resolved(document: Mapping[str, Any], node: Any) -> Any:
    """Return what a reference within a document points to; anything else as it is, and nothing for a dead end."""
    for _ in range(_DEEPEST):
        if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
            return node
        place: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            place = place.get(key, {}) if isinstance(place, Mapping) else {}
        node = place
    return {}


def plain_schema(document: Mapping[str, Any], schema: Any, depth: int = 0) -> Any:
    """Return a schema as JSON Schema has it: without references, and without what OpenAPI 3.0 says in its own way."""
    schema = resolved(document, schema)
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return {} if isinstance(schema, Mapping) else schema
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        if key in {"properties", "patternProperties", "$defs", "definitions"} and isinstance(value, Mapping):
            plain[key] = {name: plain_schema(document, each, depth + 1) for name, each in value.items()}
        elif key in {"allOf", "anyOf", "oneOf", "prefixItems"} and isinstance(value, list):
            plain[key] = [plain_schema(document, each, depth + 1) for each in value]
        elif key in {"items", "additionalProperties", "not"}:
            plain[key] = plain_schema(document, value, depth + 1)
        elif key not in _NOISE and not key.startswith("x-"):
            plain[key] = value
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(plain.get(exclusive), bool) and plain.pop(exclusive) and bound in plain:
            plain[exclusive] = plain.pop(bound)
    if schema.get("nullable") and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    return plain


def example_of(document: Mapping[str, Any], holder: Any) -> Any:
    """Return the example of a media type, a parameter or a schema; `NO_EXAMPLE` without one."""
    holder = resolved(document, holder)
    if not isinstance(holder, Mapping):
        return NO_EXAMPLE
    if "example" in holder:
        return holder["example"]
    examples = holder.get("examples")
    if isinstance(examples, list) and examples:
        return examples[0]
    if isinstance(examples, Mapping) and examples:
        first = resolved(document, next(iter(examples.values())))
        if isinstance(first, Mapping) and "value" in first:
            return first["value"]
    return NO_EXAMPLE


NO_EXAMPLE: Final = _ABSENT


def make_value(document: Mapping[str, Any], schema: Any, draw: random.Random, depth: int = 0) -> Any:
    """Return a value for a schema, with the examples in it first. It may still violate a pattern, for instance."""
    schema = resolved(document, schema)
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    given = [example_of(document, schema), *(schema[key] for key in ("const", "default") if key in schema)]
    found = next((value for value in given if value is not NO_EXAMPLE), NO_EXAMPLE)
    return _chosen(document, schema, draw, depth) if found is NO_EXAMPLE else found


def _chosen(document: Mapping[str, Any], schema: Schema, draw: random.Random, depth: int) -> Any:
    """Return a value for a schema without an example: one of those that it lists, or of the schemas that it lists."""
    if schema.get("enum"):
        return draw.choice(list(schema["enum"]))
    if schema.get("allOf"):
        return make_value(document, _merged(document, schema), draw, depth + 1)
    for key in ("oneOf", "anyOf"):
        if schema.get(key):
            choices = [each for each in schema[key] if resolved(document, each).get("type") != "null"]
            return make_value(document, (choices or schema[key])[0], draw, depth + 1)
    return _made(document, schema, draw, depth)


def _made(document: Mapping[str, Any], schema: Schema, draw: random.Random, depth: int) -> Any:
    match _type_of(schema):
        case "object":
            properties = schema.get("properties") or {}
            names = [name for name in schema.get("required") or properties if name in properties]
            return {name: make_value(document, properties[name], draw, depth + 1) for name in names}
        case "array":
            least = int(schema.get("minItems", 1))
            count = min(max(least, 3), int(schema.get("maxItems", max(least, 3))))
            return [make_value(document, schema.get("items", {}), draw, depth + 1) for _ in range(count)]
        case kind:
            return _made_scalar(kind, schema, draw)


def _made_scalar(kind: str, schema: Schema, draw: random.Random) -> Any:
    match kind:
        case "integer":
            return int(_number(schema, draw, 1))
        case "number":
            return round(_number(schema, draw, 0), 3)
        case "boolean":
            return draw.choice([True, False])
        case "string":
            return _text(schema, draw)
    return None


def _type_of(schema: Schema) -> str:
    given = schema.get("type")
    if isinstance(given, list):
        given = next((each for each in given if each != "null"), "null")
    if given is None:
        given = "object" if "properties" in schema else "array" if "items" in schema else "null"
    return str(given)


def _number(schema: Schema, draw: random.Random, step: float) -> float:
    low, high = schema.get("minimum"), schema.get("maximum")
    for exclusive, is_low in (("exclusiveMinimum", True), ("exclusiveMaximum", False)):
        bound = schema.get(exclusive)
        if bound is True:
            bound = low if is_low else high
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            inside = bound + (step or 0.001) * (1 if is_low else -1)
            low, high = (inside, high) if is_low else (low, inside)
    low = (high - 10 if high is not None else 0) if low is None else low
    high = low + 10 if high is None else high
    multiple = schema.get("multipleOf")
    value = draw.randint(int(low + (low % 1 > 0)), int(high)) if step else draw.uniform(low, high)
    return multiple * -(-low // multiple) if multiple else value


def _text(schema: Schema, draw: random.Random) -> str:
    known = _BY_FORMAT.get(str(schema.get("format")))
    if known is not None:
        return known
    least = int(schema.get("minLength", 1))
    count = min(max(least, 8), int(schema.get("maxLength", max(least, 8))))
    return "".join(draw.choices(string.ascii_lowercase, k=count))


def _merged(document: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return all parts of `allOf` as one schema."""
    whole: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        found = resolved(document, part)
        if isinstance(found, Mapping) and found.get("allOf"):
            found = _merged(document, found)
        for key, value in found.items() if isinstance(found, Mapping) else ():
            if key == "properties":
                whole[key] = {**value, **whole.get(key, {})}
            elif key == "required":
                whole[key] = list(dict.fromkeys([*whole.get(key, []), *value]))
            else:
                whole.setdefault(key, value)
    return whole
