//! What the JSON forms of `show info` and `show stat` look like.

use serde_json::json;

/// The schema of both.
#[must_use]
pub fn schema() -> serde_json::Value {
    let number = json!({"type": "integer", "minimum": 0});
    let text = json!({"type": "string"});
    let reference = |name: &str| json!({"$ref": format!("#/definitions/{name}")});
    let typed = |name: &str, value: serde_json::Value| {
        json!({
            "title": name,
            "type": "object",
            "properties": {"type": {"type": "string", "enum": [name]}, "value": value},
            "required": ["type", "value"],
        })
    };
    let item = |title: &str, more: serde_json::Value| {
        let mut properties = json!({
            "field": reference("field"),
            "processNum": reference("processNum"),
            "tags": reference("tags"),
            "value": reference("typedValue"),
        });
        let mut required = vec!["field", "processNum", "tags", "value"];
        if let (Some(all), Some(more)) = (properties.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
            required.extend(["objType", "proxyId", "id"].iter().filter(|name| more.contains_key(**name)));
        }
        json!({"title": title, "type": "object", "properties": properties, "required": required})
    };
    let row = json!({
        "objType": {"enum": ["Frontend", "Backend", "Listener", "Server", "Unknown"]},
        "proxyId": number,
        "id": number,
    });
    json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "oneOf": [
            {"title": "Info", "type": "array", "items": item("InfoItem", json!({}))},
            {"title": "Stat", "type": "array", "items": {"title": "InfoItem", "type": "array", "items": item("StatItem", row)}},
            {"title": "Error", "type": "object", "properties": {"errorStr": text}, "required": ["errorStr"]},
        ],
        "definitions": {
            "field": {
                "type": "object",
                "properties": {"pos": number, "name": text},
                "required": ["pos", "name"],
            },
            "processNum": {"type": "integer", "minimum": 1},
            "tags": {
                "type": "object",
                "properties": {
                    "origin": {"enum": ["Metric", "Status", "Key", "Config", "Product", "Unknown"]},
                    "nature": {"enum": [
                        "Gauge", "Limit", "Min", "Max", "Rate", "Counter", "Duration", "Age", "Time", "Name",
                        "Output", "Avg", "Unknown",
                    ]},
                    "scope": {"enum": ["Cluster", "Process", "Service", "System", "Unknown"]},
                },
                "required": ["origin", "nature", "scope"],
            },
            "typedValue": {"oneOf": [
                typed("s32", json!({"type": "integer"})),
                typed("s64", json!({"type": "integer"})),
                typed("u32", number.clone()),
                typed("u64", number.clone()),
                typed("flt", json!({"type": "number"})),
                typed("str", text.clone()),
            ]},
        },
    })
}
