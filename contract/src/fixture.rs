// SPDX-License-Identifier: Apache-2.0
//! Small documents for tests.

use crate::{Contract, LoadOptions, Source, UnknownRequest, load};
use portcullis_decision::finding::Finding;

/// No files beside the document.
pub(crate) fn no_files(_: &str) -> Result<String, String> {
    Err("no such file".to_owned())
}

pub(crate) fn try_load(name: &str, text: &str, options: &LoadOptions) -> Result<Contract, Vec<Finding>> {
    load(Source { name: name.into(), text: text.to_owned() }, options, &no_files)
}

/// A document in YAML under the default options.
pub(crate) fn contract(text: &str) -> Contract {
    try_load("openapi.yaml", text, &LoadOptions::default()).unwrap_or_else(|f| panic!("{f:?}"))
}

/// A document whose one operation `POST /x` takes and answers a value of the component schema `Root`.
pub(crate) fn with_schemas(version: &str, schemas: &str, unknown_request: UnknownRequest) -> Contract {
    let indented = format!("    {}\n", schemas.replace('\n', "\n    "));
    let text = format!(
        "openapi: {version}\ninfo: {{title: T, version: '1'}}\npaths:\n  /x:\n    post:\n      operationId: x\n      \
         requestBody: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/Root'}}}}}}}}\n      \
         responses: {{'200': {{description: d, content: {{application/json: {{schema: {{$ref: \
         '#/components/schemas/Root'}}}}}}}}}}\ncomponents:\n  schemas:\n{indented}"
    );
    let options = LoadOptions { unknown_request, ..LoadOptions::default() };
    try_load("openapi.yaml", &text, &options).unwrap_or_else(|f| panic!("{f:?}"))
}
