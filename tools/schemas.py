"""Converts the OCA's JSON schemas of OCPP 1.6, from the `ocpp` package, to the firmware's compact form (schemas.txt).

    python -m tools.schemas          writes firmware/ocpp/v16/schemas.txt
    python -m tools.schemas --check  only compares; exit code 1 if the file is not current

One line for each action ("Reset"), each answer ("Reset>") and each nested object ("@IdTagInfo"): the name and its
fields, for example

    ChangeAvailability connectorId:i type:=Inoperative|Operative

`field?` is optional. Types: `s` string, `s20` at most 20 characters, `v20` the same, and a number or boolean that is
received is read as text, `t` date-time, `i` integer, `n` number, `d` number
with one decimal, `b` boolean, `=A|B` one of, `@Name` object, `[x` array of x, `[+x` at least one x.
"""

import argparse
import json
import sys
from pathlib import Path

import ocpp

_HEAD = "# Payload schemas of OCPP 1.6, one a line: NAME FIELD[?]:TYPE ... (NAME>: the answer). See tools/schemas.py.\n"
TARGET = Path(__file__).resolve().parent.parent / "firmware" / "ocpp" / "v16" / "schemas.txt"

# Keywords to ignore; the generator stops at keywords that are in neither list.
_IGNORED = {"$schema", "$id", "id", "title", "javaType", "definitions", "additionalProperties", "additionalItems"}
_USED = {"type", "properties", "required", "enum", "maxLength", "format", "items", "minItems", "multipleOf"}

# Where the package's schemas are looser than OCPP 1.6 §7.33 and §7.43: every meter value has a sampled value, and the
# unit Hertz does not exist. With both, MeterValues and StopTransaction share their objects.
_NO_SUCH_VALUES = {"Hertz"}
_NEVER_EMPTY = {"sampledValue"}

# Text fields that some central systems send as a number or boolean (§5.3: the value of a key).
_READ_AS_TEXT = {"ChangeConfiguration": "value"}

# Enumerations whose unknown values are answered with a status (§5.17: NotImplemented), so they are not checked here.
_OPEN = {"requestedMessage": "s50"}


class Writer:
    """Collects lines; objects with the same fields share one line, whatever their names."""

    def __init__(self):
        self.actions = {}
        self.objects = {}

    def add(self, name, schema):
        definitions = schema.get("definitions", {})
        fields = self._fields(schema, definitions)
        if name in _READ_AS_TEXT:
            fields = fields.replace(f"{_READ_AS_TEXT[name]}:s", f"{_READ_AS_TEXT[name]}:v")
        self.actions[name] = fields

    def text(self):
        lines = [f"{name} {fields}".rstrip() for name, fields in sorted(self.actions.items())]
        lines += [f"@{name} {fields}" for name, fields in sorted(self.objects.items())]
        return _HEAD + "".join(line + "\n" for line in lines)

    def _fields(self, schema, definitions):
        self._check(schema)
        required = schema.get("required", ())
        fields = []
        for name, field in sorted(schema.get("properties", {}).items()):
            mark = "" if name in required else "?"
            fields.append(f"{name}{mark}:{self._type(name, field, definitions)}")
        return " ".join(fields)

    def _type(self, name, schema, definitions):
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rpartition("/")[2]]
        self._check(schema)
        kind = schema["type"]
        if name in _OPEN:
            return _OPEN[name]
        if "enum" in schema:
            return "=" + "|".join(value for value in schema["enum"] if value not in _NO_SUCH_VALUES)
        if kind == "string":
            if schema.get("format") == "date-time":
                return "t"
            return f"s{schema['maxLength']}" if "maxLength" in schema else "s"
        if kind == "number":
            return "d" if schema.get("multipleOf") == 0.1 else "n"
        if kind == "array":
            least = schema.get("minItems", 1 if name in _NEVER_EMPTY else 0)
            if least > 1:
                raise ValueError(f"{name}: minItems {least}")
            return ("[+" if least else "[") + self._type(name, schema["items"], definitions)
        if kind == "object":
            return "@" + self._object(name, self._fields(schema, definitions))
        return {"integer": "i", "boolean": "b"}[kind]

    def _object(self, name, fields):
        """Returns the name of the object with these fields: that of the property, with a number if it is taken."""
        wanted = name[0].upper() + name[1:]
        for known, content in self.objects.items():
            if content == fields:
                return known
        number = 1
        while wanted in self.objects:
            number += 1
            wanted = f"{name[0].upper()}{name[1:]}{number}"
        self.objects[wanted] = fields
        return wanted

    @staticmethod
    def _check(schema):
        unknown = set(schema) - _IGNORED - _USED
        if unknown:
            raise ValueError(f"cannot express {unknown}")


def generate():
    """Returns the text of the data file."""
    writer = Writer()
    for path in sorted((Path(ocpp.__file__).parent / "v16" / "schemas").glob("*.json")):
        name = path.stem
        if name.endswith("Response"):
            name = name.removesuffix("Response") + ">"
        writer.add(name, json.loads(path.read_text(encoding="utf-8-sig")))
    return writer.text()


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.schemas", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare, exit with 1 on a difference")
    check = parser.parse_args().check
    text = generate()
    if check:
        sys.exit(TARGET.read_text(encoding="utf-8") != text)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {len(text)} bytes, {text.count(chr(10))} lines")


if __name__ == "__main__":
    main()
