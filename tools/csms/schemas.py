"""Strict validation by the OCA's JSON schemas of OCPP 1.6 and its security extensions, from the `ocpp` package."""

import json
from decimal import Decimal
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from jsonschema import Draft4Validator, FormatChecker

from tools.csms.moments import unix_seconds

_SCHEMAS = files("ocpp.v16") / "schemas"
_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_date_time(value):
    return not isinstance(value, str) or unix_seconds(value) is not None  # the format only applies to strings


@_formats.checks("uri", raises=ValueError)
def _is_uri(value):
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


@cache
def _validator(name):
    text = (_SCHEMAS / f"{name}.json").read_text(encoding="utf-8-sig")
    # multipleOf 0.1 needs decimals: as binary float 21.4 is not a multiple of 0.1.
    return Draft4Validator(json.loads(text, parse_float=Decimal), format_checker=_formats)


def known(action):
    """Returns True for an action of OCPP 1.6 or its security extensions."""
    return action.isalpha() and not action.endswith("Response") and (_SCHEMAS / f"{action}.json").is_file()


def violations(action, payload, response=False):
    """Returns the violations of the schema of `action` (or its response) in `payload`, one line each."""
    if not known(action):
        return [f"{action} is not an action of OCPP 1.6"]
    exact = json.loads(json.dumps(payload), parse_float=Decimal)
    errors = _validator(action + "Response" if response else action).iter_errors(exact)
    return sorted(f"{'.'.join(map(str, error.absolute_path)) or 'payload'}: {error.message}" for error in errors)
