# interpreters: cpython
"""The compact schemas say what the OCA's JSON schemas say."""

import json
import random
from pathlib import Path

import ocpp
from harness import raises
from jsonschema import Draft4Validator

from firmware.ocpp.errors import FORMATION_VIOLATION, CallError
from firmware.ocpp.v16.rules import Rules
from tools import schemas

SOURCE = Path(ocpp.__file__).parent / "v16" / "schemas"


def test_data_file_is_what_the_generator_makes():
    assert schemas.TARGET.read_text(encoding="utf-8") == schemas.generate(), "run python -m tools.schemas"


def test_all_28_actions_and_the_security_extension_are_there():
    schema = Rules().schema
    names = {path.stem.removesuffix("Response") for path in SOURCE.glob("*.json")}
    assert len(names) == 28 + 11
    for name in names:
        with raises(CallError) as caught:
            schema.accept(name, None)
        assert caught.value.code == FORMATION_VIOLATION, f"{name} is unknown"


def example(schema, definitions, rng, depth=0):
    """Returns a random value that fits a JSON schema."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return rng.choice([value for value in schema["enum"] if value != "Hertz"])
    if schema["type"] == "object":
        required = schema.get("required", ())
        return {
            name: example(field, definitions, rng, depth + 1)
            for name, field in schema.get("properties", {}).items()
            if name in required or rng.random() < 0.5
        }
    if schema["type"] == "array":
        return [example(schema["items"], definitions, rng, depth + 1) for _ in range(rng.randrange(1, 3))]
    if schema.get("format") == "date-time":
        return "2026-11-21T01:02:03Z"
    return {
        "string": "x" * rng.randrange(schema.get("maxLength", 9) + 1),
        "integer": rng.randrange(-5, 99),
        "number": rng.randrange(320) / 2,
        "boolean": rng.random() < 0.5,
    }[schema["type"]]


def spoil(value, rng):
    """Changes one thing somewhere inside of an object, for the worse or not."""
    name = rng.choice(list(value) or [""])
    inner = value.get(name)
    if isinstance(inner, list) and rng.random() < 0.8:
        inner = inner[0]
    if isinstance(inner, dict) and rng.random() < 0.8:
        return spoil(inner, rng)
    if rng.random() < 0.3:
        value.pop(name, None)
    elif rng.random() < 0.3:
        value["extra"] = 1
    else:
        value[name] = rng.choice(["", "x" * 600, 1, -1, 1.5, True, [], {}, None, "Accepted", "2026-11-21T01:02:03Z"])
    return None


def refusal(schema, name, payload):
    try:
        schema.validate(name.removesuffix("Response"), payload, name.endswith("Response"))
    except CallError as exc:
        return exc.description
    return None


def tolerated(error):
    """Tells whether a violation is none to us."""
    # jsonschema's multipleOf fails on the binary fractions of floats.
    if error.validator == "multipleOf":
        return True
    # An unknown word in requestedMessage has an answer of its own (OCPP 1.6 §5.17).
    return error.validator == "enum" and error.path[-1] == "requestedMessage" and len(str(error.instance)) <= 50


def test_same_verdict_as_jsonschema():
    """What is sent passes exactly when it passes the original; dates and sampled values are checked more closely."""
    rng = random.Random(16)
    schema = Rules().schema
    for path in sorted(SOURCE.glob("*.json")):
        original = json.loads(path.read_text(encoding="utf-8-sig"))
        validator = Draft4Validator(original)
        for i in range(60):
            payload = example(original, original.get("definitions", {}), rng)
            if i % 3:
                spoil(payload, rng)
            errors = [error.message for error in validator.iter_errors(payload) if not tolerated(error)]
            refused = refusal(schema, path.stem, payload)
            closer = refused and ("not a date" in refused or "sampledValue is empty" in refused)
            assert closer or bool(refused) == bool(errors), (path.stem, payload, refused, errors)
