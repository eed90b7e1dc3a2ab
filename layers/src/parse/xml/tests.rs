use super::*;
use serde_json::json;

fn options() -> Options {
    Options {
        namespaces: Namespaces::Keep,
        shape: Shape::Object,
        trim: true,
        attribute_prefix: "@".to_owned(),
        text_key: "#text".to_owned(),
        lists: Vec::new(),
        depth: 100,
        nodes: 1000,
    }
}

fn read(text: &str) -> Value {
    let parsed = parse(text, &options()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    json!({ parsed.root: parsed.value })
}

fn refused(text: &str, options: &Options) -> Fault {
    match parse(text, options) {
        Ok(parsed) => panic!("{text} gave {parsed:?}"),
        Err(fault) => fault,
    }
}

#[test]
fn elements_attributes_text_and_lists_become_json() {
    for (text, expected) in [
        ("<a/>", json!({ "a": null })),
        ("<a></a>", json!({ "a": null })),
        ("<a>1</a>", json!({ "a": "1" })),
        (
            "<?xml version=\"1.0\"?>\n<!-- x --><a b='2' c=\"&lt;&#65;&#x42;\ty\">t</a>\n",
            json!({ "a": { "@b": "2", "@c": "<AB y", "#text": "t" } }),
        ),
        (
            "<o><i>1</i><x/><i>2</i><i>3</i></o>",
            json!({ "o": { "i": ["1", "2", "3"], "x": null } }),
        ),
        (
            "<a>x &amp; y&#x1F600; <![CDATA[<b>&amp;</b>]]></a>",
            json!({ "a": "x & y😀 <b>&amp;</b>" }),
        ),
        ("<a>\n  <b>one\r\ntwo</b>\n</a>", json!({ "a": { "b": "one\ntwo" } })),
        ("<p>mixed <b>bold</b> text</p>", json!({ "p": { "b": "bold", "#text": "mixed  text" } })),
        ("<x:a xmlns:x='u' x:k='v'/>", json!({ "x:a": { "@xmlns:x": "u", "@x:k": "v" } })),
        ("<имя ключ='я'>да</имя>", json!({ "имя": { "@ключ": "я", "#text": "да" } })),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn namespaces_are_kept_stripped_or_written_out() {
    let text = "<a xmlns='urn:d' xmlns:x='urn:x' k='1' x:k='2'><x:b/><c xmlns=''/></a>";
    let with = |namespaces| parse(text, &Options { namespaces, ..options() }).unwrap();
    let stripped = with(Namespaces::Strip);
    assert_eq!(
        (stripped.root.as_str(), stripped.value),
        ("a", json!({ "@k": "1", "@x:k": "2", "b": null, "c": null }))
    );
    let expanded = with(Namespaces::Expand);
    assert_eq!(expanded.root, "{urn:d}a");
    assert_eq!(expanded.value, json!({ "@k": "1", "@{urn:x}k": "2", "{urn:x}b": null, "c": null }));
    let unbound = refused("<x:a/>", &Options { namespaces: Namespaces::Expand, ..options() });
    assert!(unbound.message.contains("prefix `x`"), "{unbound:?}");
}

#[test]
fn a_path_makes_a_list_even_of_one() {
    let lists = ["o/i", "z"].map(|path| path.split('/').map(str::to_owned).collect()).to_vec();
    let parsed =
        parse("<o><i>1</i><k><i>2</i><z/></k></o>", &Options { lists, ..options() }).unwrap();
    assert_eq!(parsed.value, json!({ "i": ["1"], "k": { "i": "2", "z": [null] } }));
}

#[test]
fn a_tree_keeps_the_order_of_everything() {
    let parsed = parse(
        "<p a='1'>one <b>two</b> three<c/></p>",
        &Options { shape: Shape::Tree, ..options() },
    )
    .unwrap();
    let leaf = |name: &str, children: Value| json!({ "name": name, "attributes": {}, "children": children });
    assert_eq!(
        parsed.value,
        json!({ "name": "p", "attributes": { "a": "1" },
            "children": ["one", leaf("b", json!(["two"])), "three", leaf("c", json!([]))] })
    );
}

#[test]
fn document_types_are_refused_and_with_them_foreign_files_and_bombs() {
    for text in [
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY l 'lol'><!ENTITY m '&l;&l;&l;'>]><a>&m;</a>",
        "<!DOCTYPE a PUBLIC 'x' 'http://127.0.0.1/x.dtd'><a/>",
    ] {
        assert_eq!(refused(text, &options()).code, "xml_dtd", "{text}");
    }
}

#[test]
fn what_is_no_xml_is_refused_at_its_place() {
    for (text, place, part) in [
        ("", (1, 1), "no element"),
        ("plain", (1, 1), "outside of the root"),
        ("<a>", (1, 4), "never closed"),
        ("<a>\n<b></a>", (2, 4), "b"),
        ("</a>", (1, 1), ""),
        ("<a/><b/>", (1, 5), "second root"),
        ("<a/>x", (1, 5), "outside"),
        ("<a b='1' b='2'/>", (1, 1), "stands twice"),
        ("<a b=1/>", (1, 1), ""),
        ("<a b='<'/>", (1, 1), "`&lt;`"),
        ("<a>&nbsp;</a>", (1, 4), "`&nbsp;`"),
        ("<a b='&x;'/>", (1, 1), "`&x;`"),
        ("<a>&#0;</a>", (1, 4), "no character"),
        ("<a>&#xd800;</a>", (1, 4), "no character"),
        ("<a>&#+65;</a>", (1, 4), "`&#+65;`"),
        ("<a>\u{1}</a>", (1, 4), "U+0001"),
        ("<a>]]></a>", (1, 4), "`]]>`"),
        ("<1a/>", (1, 1), "element's name"),
        ("<a 1='x'/>", (1, 1), "attribute's name"),
        ("<a/><?xml version='1.0'?>", (1, 5), "very start"),
        ("<a", (1, 1), ""),
        ("<a><!-- x", (1, 4), ""),
        ("<a><![CDATA[x</a>", (1, 4), ""),
    ] {
        let fault = refused(text, &options());
        assert_eq!(fault.code, "not_xml", "{text}: {fault:?}");
        assert!(fault.message.contains(part), "{text}: {fault:?}");
        assert_eq!((fault.line, fault.column), (Some(place.0), Some(place.1)), "{text}: {fault:?}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    assert_eq!(refused(&"<a>".repeat(100_000), &options()).code, "too_deep");
    assert_eq!(
        refused(&format!("<a>{}</a>", "<b/>".repeat(1000)), &options()).code,
        "input_too_large"
    );
    let many: String = (0..2000).fold(String::new(), |text, n| format!("{text} a{n}='x'"));
    assert_eq!(refused(&format!("<a{many}/>"), &options()).code, "input_too_large");
    let bound: String = (0..300).fold(String::new(), |text, n| format!("{text} xmlns:a{n}='x'"));
    assert!(refused(&format!("<a{bound}/>"), &options()).message.contains("256"));
    let long = format!("<a xmlns='{}'>{}</a>", "u".repeat(1 << 20), "<b/>".repeat(900));
    let fault = refused(&long, &Options { namespaces: Namespaces::Expand, ..options() });
    assert!(fault.message.contains("namespaces"), "{fault:?}");
}
