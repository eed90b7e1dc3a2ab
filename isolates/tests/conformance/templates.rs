//! What authors of templates rely on.

use crate::common::{World, patient};
use jalm_isolates::{Program, ScriptError};
use serde_json::{Value, json};

async fn with(
    world: &World,
    source: &str,
    includes: Value,
    autoescape: bool,
) -> Result<Value, ScriptError> {
    let includes = serde_json::from_value(includes).unwrap();
    let data = json!({ "name": "<b>Zoë</b>", "rows": [1, 2] }).as_object().unwrap().clone();
    let program = Program::Template { source: source.to_owned(), includes, data, autoescape };
    world.run(program, patient()).await.unwrap().result
}

at_each_strength! {
    async fn values_are_put_in(world: &World) {
        let data = json!({ "rows": [{ "a": 1 }, { "a": 2 }], "who": "Zoë 🦀" });
        let source = "{{ who }}:{% for row in rows %} {{ row.a }}{% endfor %}";
        assert_eq!(world.template(source, data).await.unwrap(), "Zoë 🦀: 1 2");
    }

    async fn values_are_escaped_for_html_if_asked(world: &World) {
        assert_eq!(with(world, "{{ name }}", json!({}), true).await.unwrap(), "&lt;b&gt;Zoë&lt;&#x2f;b&gt;");
        assert_eq!(with(world, "{{ name }}", json!({}), false).await.unwrap(), "<b>Zoë</b>");
        assert_eq!(with(world, "{{ name|safe }}", json!({}), true).await.unwrap(), "<b>Zoë</b>");
        let includes = json!({ "part.txt": "{{ name }}" });
        assert_eq!(with(world, "{% include 'part.txt' %}", includes, true).await.unwrap(), "&lt;b&gt;Zoë&lt;&#x2f;b&gt;");
    }

    async fn other_templates_can_be_used(world: &World) {
        let includes = json!({
            "base": "<{% block body %}{% endblock %}>",
            "part": "[{{ rows|length }}]",
            "macros": "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}",
        });
        let source = "{% extends 'base' %}{% from 'macros' import twice %}{% block body %}{% include 'part' %}{{ twice('x') }}{% endblock %}";
        assert_eq!(with(world, source, includes, true).await.unwrap(), "<[2]xx>");
        let error = with(world, "{% include '/etc/passwd' %}", json!({}), true).await.unwrap_err();
        assert!(error.hint.unwrap().contains("includes"));
    }

    async fn names_that_are_not_there_are_errors(world: &World) {
        let error = world.template("one\n{{ missing }}", json!({})).await.unwrap_err();
        assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(2)), "{error:?}");
        assert!(error.message.contains("missing"), "{error:?}");
        assert!(error.hint.unwrap().contains("default"));
        assert_eq!(world.template("{{ missing|default('none') }}", json!({})).await.unwrap(), "none");
        assert!(world.template("{{ a.b.c }}", json!({ "a": {} })).await.is_err());
        assert!(world.template("{{ debug() }}", json!({})).await.is_err());
    }

    async fn errors_name_their_line(world: &World) {
        for (source, line) in [("{{", 1), ("ok\n{% for %}", 2), ("a\nb\n{% if x %}", 3), ("{{ 1 + }}", 1)] {
            let error = world.template(source, json!({ "x": 1 })).await.unwrap_err();
            assert_eq!(error.code, "script_syntax", "{source} {error:?}");
            assert_eq!(error.line, Some(line), "{source} {error:?}");
        }
        let error = world.template("\n\n{{ 1 / 'x' }}", json!({})).await.unwrap_err();
        assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(3)), "{error:?}");
        let error = world.template("\n{{ 1|nofilter }}", json!({})).await.unwrap_err();
        assert_eq!(error.line, Some(2), "{error:?}");
    }

    async fn errors_in_other_templates_name_them(world: &World) {
        let error = with(world, "{% include 'part' %}", json!({ "part": "\n{{ missing }}" }), true).await.unwrap_err();
        assert!(error.message.contains("`part`"), "{error:?}");
        assert_eq!(error.line, Some(2));
        let error = with(world, "x", json!({ "part": "\n{{ " }), true).await.unwrap_err();
        assert_eq!(error.code, "script_syntax");
        assert!(error.message.contains("`part`"), "{error:?}");
    }
}
