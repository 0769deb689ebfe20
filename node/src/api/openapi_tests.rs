//! The document is the one that is committed, tells of every call, and agrees with the schemas of the command line.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Set, it makes the first test write the document.
const WRITE: &str = "RODA_WRITE_OPENAPI";

/// The objects of the API that commands print as they are: the name of the command line's schema, and ours.
const PRINTED: &[(&str, &str)] = &[
    ("author", "Writing"),
    ("board", "BoardRef"),
    ("board-log", "BoardLog"),
    ("boards", "Board"),
    ("connect", "Connected"),
    ("directory", "DirectoryEntry"),
    ("doctor", "Diagnosis"),
    ("error", "ErrorBody"),
    ("events", "NodeEvent"),
    ("export", "ExportLine"),
    ("feed", "FeedEntry"),
    ("fsck", "FsckReport"),
    ("history", "Version"),
    ("id", "Identity"),
    ("import", "ImportReport"),
    ("inbox", "InboxEntry"),
    ("inbox-clear", "InboxCleared"),
    ("inbox-unread", "InboxUnread"),
    ("invite", "InviteMade"),
    ("keep", "Keeping"),
    ("listing", "ListingState"),
    ("next", "Next"),
    ("outbox", "OutboxEntry"),
    ("peers", "PeerEntry"),
    ("power", "Power"),
    ("search", "SearchPage"),
    ("reader", "ReaderLine"),
    ("reader-import", "ReaderImported"),
    ("rule", "Rule"),
    ("status", "Status"),
    ("sync", "SyncReport"),
    ("web", "WebLink"),
    ("web-feeds", "FeedAddress"),
    ("web-preferences", "PagePreferences"),
    ("why", "WhyReport"),
    ("written", "Written"),
];

/// What a command adds to an object of the API by itself.
const ADDED: &[(&str, &str)] = &[("fsck", "found")];

/// What commands make themselves, out of several answers or of none.
const MADE_BY_COMMANDS: &[&str] = &[
    "devnet-down",
    "devnet-status",
    "devnet-up",
    "down",
    "join",
    "logs",
    "peers-graph",
    "read",
    "up",
    "web-password",
    "welcome",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn json() -> Value {
    serde_json::to_value(document()).unwrap()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_committed_document_is_what_the_code_says() {
    let (path, made) = (folder().join("openapi.json"), text().unwrap());
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let line = committed.lines().zip(made.lines()).position(|(committed, made)| committed != made);
    assert!(
        committed == made,
        "node/openapi.json is not what the code says (first at line {}). Write it anew, and look at what changes for \
         those who call the API: {WRITE}=1 cargo test --workspace --lib openapi",
        line.unwrap_or_else(|| committed.lines().count().min(made.lines().count())) + 1
    );
}

#[test]
fn the_router_and_the_document_have_the_same_calls() {
    // The router tells its paths to nobody but the debugger.
    let routed = format!("{:?}", crate::api::routes());
    let routed: BTreeSet<&str> = routed.split('"').filter(|text| text.starts_with('/')).collect();
    // axum's own, for what is routed nowhere.
    let routed: BTreeSet<&str> =
        routed.into_iter().filter(|path| *path != "/" && !path.contains("__private__")).collect();
    let json = json();
    let mut documented = keys(&json["paths"]);
    documented.insert(crate::api::NO_CALL);
    assert_eq!(routed, documented);

    let methods = json["paths"].as_object().unwrap().values().map(|path| keys(path).len());
    assert_eq!(calls::all().len(), methods.sum::<usize>(), "a method of a path is named twice");
    for call in calls::all() {
        let word = if call.method == HttpMethod::Get { "get" } else { "post" };
        let handler = format!("{:?}", call.handler);
        let has = |method: &str| !handler.contains(&format!("{method}: None"));
        assert_eq!((has("get"), has("post")), (word == "get", word == "post"), "{}: {handler}", call.path);
    }
}

#[test]
fn every_call_tells_its_answer_its_error_and_its_path_and_every_object_is_there() {
    let json = json();
    let mut ids = BTreeSet::new();
    for (path, methods) in json["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let answers = call["responses"]["200"]["content"].as_object();
            assert!(answers.is_some_and(|answers| !answers.is_empty()), "{method} {path} answers something");
            let error = &call["responses"]["default"]["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(error, "#/components/schemas/ErrorBody", "{method} {path}");
            let in_path = call["parameters"].as_array().into_iter().flatten().filter(|said| said["in"] == "path");
            assert_eq!(in_path.count(), path.matches('{').count(), "{method} {path}");
            assert!(ids.insert(call["operationId"].as_str().unwrap()), "{method} {path}: its name is another's");
            let forms = call["security"].as_array().unwrap().iter().filter(|way| !way[FORM].is_null()).count();
            assert_eq!(forms, usize::from(method == "post"), "{method} {path}");
        }
    }
    for name in ["/api/v1/import", "/api/v1/reader/import"] {
        assert!(json["paths"][name]["post"]["requestBody"]["content"].is_object(), "{name} takes lines");
    }
    let named = json.to_string();
    let named = named.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    assert_eq!(named.collect::<BTreeSet<_>>(), keys(&json["components"]["schemas"]));
}

#[test]
fn what_the_command_line_promises_is_in_the_api_types() {
    let schemas = folder().join("../cli/schemas");
    let files = std::fs::read_dir(&schemas).unwrap().map(|file| file.unwrap().path());
    let files: BTreeSet<String> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let known = PRINTED.iter().map(|(schema, _)| *schema).chain(MADE_BY_COMMANDS.iter().copied());
    assert_eq!(
        files,
        known.map(str::to_owned).collect(),
        "each schema is of an object of the API, or is said not to be"
    );

    let json = json();
    let api = Api { objects: &json["components"]["schemas"] };
    for (schema, object) in PRINTED {
        let mut promise = read(&schemas, schema);
        for (_, name) in ADDED.iter().filter(|(of, _)| of == schema) {
            assert!(promise["properties"].as_object_mut().unwrap().remove(*name).is_some(), "{schema} has {name}");
        }
        let mut broken = Vec::new();
        api.hold(&promise, &api.objects[*object], schema, &mut broken);
        assert!(broken.is_empty(), "cli/schemas/{schema}.json and `{object}` disagree: {broken:#?}");
    }
}

#[test]
fn a_promise_that_the_api_types_do_not_keep_is_found() {
    let json = json();
    let api = Api { objects: &json["components"]["schemas"] };
    let schemas = folder().join("../cli/schemas");
    let found = |schema: &str, object: &str, change: &dyn Fn(&mut Value)| {
        let mut promise = read(&schemas, schema);
        change(&mut promise);
        let mut broken = Vec::new();
        api.hold(&promise, &api.objects[object], "it", &mut broken);
        broken
    };
    let named = |change: &dyn Fn(&mut Value)| found("feed", "FeedEntry", change);
    assert_eq!(named(&|promise| promise["properties"]["colour"] = serde_json::json!({})), ["it.colour: not there"]);
    assert_eq!(named(&|promise| promise["required"] = serde_json::json!(["colour"])), ["it.colour: not there"]);
    let typed = named(&|promise| promise["properties"]["score"]["type"] = "string".into());
    assert_eq!(typed, ["it.score: the API gives {\"integer\"}, the command line promises {\"string\"}"]);
    let null = named(&|promise| promise["properties"]["name"]["type"] = "string".into());
    assert_eq!(null, ["it.name: the API gives {\"null\", \"string\"}, the command line promises {\"string\"}"]);
    let deep = found("power", "Power", &|promise| {
        promise["properties"]["overall"]["properties"]["posts"]["properties"]["gini"]["type"] = "boolean".into();
    });
    assert_eq!(deep, ["it.overall.posts.gini: the API gives {\"number\"}, the command line promises {\"boolean\"}"]);
    let tagged = found("events", "NodeEvent", &|promise| {
        promise["allOf"][0]["then"]["required"] = serde_json::json!(["missed"]);
    });
    assert_eq!(tagged, ["it.missed: not there where event is admitted"]);
}

fn read(folder: &Path, schema: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(schema).with_extension("json")).unwrap()).unwrap()
}

/// The types of the API, as they are in the document.
struct Api<'a> {
    objects: &'a Value,
}

impl<'a> Api<'a> {
    /// Everything that a value may be, without references.
    fn kinds(&self, given: &'a Value) -> Vec<&'a Value> {
        if let Some(name) = given["$ref"].as_str() {
            return self.kinds(&self.objects[name.rsplit('/').next().unwrap()]);
        }
        match given["oneOf"].as_array() {
            Some(kinds) => kinds.iter().flat_map(|kind| self.kinds(kind)).collect(),
            None => vec![given],
        }
    }

    /// Notes where a promise of the command line is not what the API gives.
    fn hold(&self, promise: &Value, given: &'a Value, at: &str, broken: &mut Vec<String>) {
        let kinds = self.kinds(given);
        let given_types: BTreeSet<&str> = kinds.iter().flat_map(|kind| types(kind)).collect();
        let promised = types(promise);
        let is_kept = |given: &&str| promised.contains(given) || (*given == "integer" && promised.contains("number"));
        if given_types.is_empty() || !(promised.is_empty() || given_types.iter().all(is_kept)) {
            broken.push(format!("{at}: the API gives {given_types:?}, the command line promises {promised:?}"));
            return;
        }
        if promise["items"].is_object() {
            for list in kinds.iter().filter(|kind| kind["items"].is_object()) {
                self.hold(&promise["items"], &list["items"], &format!("{at}[]"), broken);
            }
        }
        let objects: Vec<&Value> = kinds.iter().copied().filter(|kind| types(kind).contains("object")).collect();
        self.hold_properties(promise, &objects, at, broken);
        hold_conditions(promise, &objects, at, broken);
    }

    fn hold_properties(&self, promise: &Value, objects: &[&'a Value], at: &str, broken: &mut Vec<String>) {
        for name in keys(&promise["properties"]).union(&texts(&promise["required"])).copied() {
            let at = format!("{at}.{name}");
            // A map has what it was given: its values are what its type says of all.
            let property = |object: &&'a Value| object["properties"].get(name).or(object.get("additionalProperties"));
            let properties: Vec<&Value> = objects.iter().filter_map(property).collect();
            let is_always = texts(&promise["required"]).contains(name);
            if properties.is_empty() || (is_always && properties.len() < objects.len()) {
                broken.push(format!("{at}: not there"));
            }
            let Some(promise) = promise["properties"].get(name) else { continue };
            for property in properties {
                self.hold(promise, property, &at, broken);
            }
        }
    }
}

/// What is promised where a property has one value.
fn hold_conditions(promise: &Value, objects: &[&Value], at: &str, broken: &mut Vec<String>) {
    for rule in promise["allOf"].as_array().into_iter().flatten() {
        for (tag, condition) in rule["if"]["properties"].as_object().into_iter().flatten() {
            let value = condition["const"].as_str().unwrap();
            let fits = |object: &&&Value| texts(&object["properties"][tag]["enum"]).contains(value);
            let object = objects.iter().find(fits);
            let has = object.map_or(BTreeSet::new(), |object| texts(&object["required"]));
            for name in texts(&rule["then"]["required"]).difference(&has) {
                broken.push(format!("{at}.{name}: not there where {tag} is {value}"));
            }
        }
    }
}

/// The words for what a value may be; none if nothing is said.
fn types(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(word) => BTreeSet::from([word.as_str()]),
        Value::Array(_) => texts(&schema["type"]),
        _ if schema["enum"].is_array() || schema["const"].is_string() => BTreeSet::from(["string"]),
        _ => BTreeSet::new(),
    }
}
