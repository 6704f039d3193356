//! Checks a JSON value against a JSON schema, as far as docs/report.schema.json uses the
//! language. The crates that know all of it bring features into crates that polars is built
//! on, and so a second build of polars for the tests. A keyword that isn't known here is an
//! error, so that the schema can't say what nobody checks.

use regex::Regex;
use serde_json::Value;

/// What of `value` does not fit the schema `root`, each with its place.
pub fn errors(root: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(root, root, value, "", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        assert!(schema.is_boolean(), "{at}: a schema is an object or a boolean: {schema}");
        if schema == &Value::Bool(false) {
            found.push(format!("{at}: nothing is allowed here"));
        }
        return;
    };
    for (keyword, rule) in rules {
        let fits = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "then" | "else" => true,
            "$ref" => fits(root, target(root, rule), value, at, found),
            "type" => types(rule).iter().any(|name| is_type(name, value)),
            "const" => rule == value,
            "enum" => array(rule).contains(value),
            "pattern" => value.as_str().is_none_or(|text| pattern(rule).is_match(text)),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() >= size(rule)),
            "minItems" => value.as_array().is_none_or(|items| items.len() >= size(rule)),
            "uniqueItems" => value.as_array().is_none_or(|items| {
                items.iter().enumerate().all(|(at, item)| !items[..at].contains(item))
            }),
            "minimum" => value.as_f64().is_none_or(|number| number >= bound(rule)),
            "maximum" => value.as_f64().is_none_or(|number| number <= bound(rule)),
            "required" => value.as_object().is_none_or(|fields| {
                array(rule).iter().all(|name| fields.contains_key(name.as_str().expect("a name")))
            }),
            "properties" | "additionalProperties" => {
                properties(root, rules, keyword, value, at, found);
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}/{index}"), found);
                }
                true
            }
            "allOf" => array(rule).iter().all(|one| fits(root, one, value, at, found)),
            "anyOf" => array(rule).iter().any(|one| fits_quietly(root, one, value)),
            "if" => {
                let branch = if fits_quietly(root, rule, value) { "then" } else { "else" };
                rules.get(branch).is_none_or(|branch| fits(root, branch, value, at, found))
            }
            unknown => panic!("{at}: the keyword {unknown} is not known to tests/schema"),
        };
        if !fits {
            found.push(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
}

/// Each property by its own schema, and none that has none where the object is closed.
fn properties(
    root: &Value,
    rules: &serde_json::Map<String, Value>,
    keyword: &str,
    value: &Value,
    at: &str,
    found: &mut Vec<String>,
) {
    let known = rules.get("properties").and_then(Value::as_object);
    for (name, field) in value.as_object().into_iter().flatten() {
        let place = format!("{at}/{name}");
        match known.and_then(|known| known.get(name)) {
            Some(schema) if keyword == "properties" => check(root, schema, field, &place, found),
            None if keyword == "additionalProperties" => {
                check(root, &rules[keyword], field, &place, found);
            }
            Some(_) | None => {}
        }
    }
}

/// Checks, with the errors of the parts; true, since those are told already.
fn fits(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) -> bool {
    check(root, schema, value, at, found);
    true
}

fn fits_quietly(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    check(root, schema, value, "", &mut found);
    found.is_empty()
}

fn target<'s>(root: &'s Value, reference: &Value) -> &'s Value {
    let path = reference.as_str().and_then(|text| text.strip_prefix('#')).expect("#/$defs/…");
    root.pointer(path).unwrap_or_else(|| panic!("{path} is not in the schema"))
}

fn types(rule: &Value) -> Vec<&str> {
    if let Some(one) = rule.as_str() {
        return vec![one];
    }
    array(rule).iter().filter_map(Value::as_str).collect()
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        unknown => panic!("the type {unknown} is not known to tests/schema"),
    }
}

fn array(rule: &Value) -> &Vec<Value> {
    rule.as_array().expect("the rule is a list")
}

fn pattern(rule: &Value) -> Regex {
    Regex::new(rule.as_str().expect("the rule is a pattern")).expect("the pattern compiles")
}

fn size(rule: &Value) -> usize {
    usize::try_from(rule.as_u64().expect("the rule is a count")).expect("it fits")
}

fn bound(rule: &Value) -> f64 {
    rule.as_f64().expect("the rule is a number")
}
