"""Whether JSON is as a schema of an OpenAPI document has it: conforms.py DOCUMENT SCHEMA, with the JSON as standard input."""

import json
import sys

import jsonschema_rs

document, schema = sys.argv[1:]
with open(document, encoding="utf-8") as file:
    components = json.load(file)["components"]
validator = jsonschema_rs.Draft202012Validator(
    {"$ref": f"#/components/schemas/{schema}", "components": components}
)
errors = [str(error) for error in validator.iter_errors(json.load(sys.stdin))]
sys.exit("\n".join(errors) or 0)
