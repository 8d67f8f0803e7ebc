//! `/openapi.json` says what there is.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use super::stage::{PUBLIC, Stage, told};

async fn description(stage: &Stage) -> Value {
    let (status, description) = told(stage.bare(Method::GET, "/openapi.json").send().await.unwrap()).await;
    assert_eq!(status, 200);
    description
}

fn operations(description: &Value) -> Vec<(Method, String, Value)> {
    let paths = description["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(|(method, operation)| {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            (method, path.clone(), operation.clone())
        })
    });
    all.collect()
}

#[actix_web::test]
async fn every_described_operation_is_there_and_wants_what_it_says() {
    let stage = Stage::start();
    let description = description(&stage).await;
    assert_eq!(
        (&description["openapi"], &description["servers"][0]["url"]),
        (&"3.1.0".into(), &PUBLIC.into())
    );
    let operations = operations(&description);
    assert_eq!(
        operations.len(),
        13,
        "seven endpoints, one of them with seven methods"
    );
    for (method, path, operation) in operations {
        let request = stage.bare(method.clone(), &path).header("X-User-Id", "1");
        let answer = request.send().await.unwrap();
        if method == Method::HEAD {
            assert_eq!(answer.status(), 400);
            continue;
        }
        let (status, fault) = told(answer).await;
        assert_eq!(status, 400, "{method} {path}");
        let said = fault["error_description"].as_str().unwrap();
        assert!(!said.contains("no such endpoint"), "{method} {path}: {said}");
        let parameters = operation["parameters"].as_array().unwrap();
        let required = parameters.iter().find(|parameter| parameter["required"] == true);
        if let Some(required) = required {
            assert!(
                said.contains(required["name"].as_str().unwrap()),
                "{method} {path}: {said}"
            );
        }
    }
}

#[actix_web::test]
async fn every_parameter_that_is_read_is_described() {
    let description = description(&Stage::start()).await;
    let described: BTreeSet<String> = operations(&description)
        .iter()
        .flat_map(|(_, _, operation)| operation["parameters"].as_array().unwrap().clone())
        .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
        .collect();
    // those of the answer to an authorization request are read by the library
    let mut read: BTreeSet<String> = ["code", "iss", "error", "error_description"]
        .map(Into::into)
        .into();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/service/endpoint");
    for file in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for reading in [
            "parameters.get(\"",
            "parameters.require(\"",
            "parameters.target(\"",
            "parameters.flag(\"",
            "parameters.secret(\"",
        ] {
            let joined = text
                .replace("parameters\n        .", "parameters.")
                .replace("parameters\n            .", "parameters.");
            let names = joined
                .split(reading)
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().to_owned());
            read.extend(names.collect::<Vec<_>>());
        }
    }
    assert_eq!(read, described);
}

#[actix_web::test]
async fn references_lead_somewhere() {
    let description = description(&Stage::start()).await;
    let text = description.to_string();
    let mut found = 0;
    for rest in text.split("\"$ref\":\"#").skip(1) {
        let pointer = rest.split('"').next().unwrap();
        assert!(description.pointer(pointer).is_some(), "{pointer}");
        found += 1;
    }
    assert!(found > 20);
}

#[actix_web::test]
async fn health_is_told_to_everybody() {
    let stage = Stage::start();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            stage.bare(Method::GET, path).send().await.unwrap().status(),
            200,
            "{path}"
        );
    }
}
