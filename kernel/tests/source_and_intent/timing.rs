use jalm_kernel::{intent, source};
#[test]
fn timing() {
    let n = 1_000_000;
    let fill = |s: &str| s.repeat(n / s.len());
    for (name, text) in [
        ("unknown", (0..90_000).fold(String::new(), |t, i| t + &format!("k{i:05}: 1\n"))),
        ("dups", fill("a: 1\n")),
        ("flow dups", format!("a: {{{}}}", fill("b,"))),
        ("open", fill("[")), ("a:open", format!("a: {}", fill("["))), ("a:openb", format!("a: {}", fill("{"))),
        ("dash", fill("- ")), ("q", fill("? ")), ("anchors", format!("a: [{}]", fill("&a x,"))),
        ("aliases", format!("a: &a x\nb: [{}]", fill("*a,"))),
        ("merge", format!("a: &a {{{}}}\nb: {{<<: [{}]}}", (0..9000).fold(String::new(), |t,i| t+&format!("k{i}: 1,")), "*a,".repeat(100))),
        ("plain", format!("a: {}", fill("x "))), ("multiline", format!("a: {}", fill("x\n  "))),
        ("quote", format!("a: \"{}", fill("x\n  "))), ("bq", format!("a: '{}'", fill("''"))),
        ("block", format!("a: |\n{}", fill("  x\n"))), ("comments", fill("# x\n")), ("tags", format!("a: [{}]", fill("!t x,"))),
        ("colons", fill(":")), ("excl", fill("!")), ("amp", fill("&")), ("nl", fill("\n")), ("pct", fill("%")), ("steps", format!("intent: a\nsteps:\n{}", fill("- atm: x\n"))),
        ("goodsteps", format!("intent: a\nsteps:\n{}", "  - id: a\n    atom: x\n".repeat(10_000))),
        ("json dups", format!("{{{}\"a\":1}}", fill("\"a\":1,"))), ("json list", format!("[{}1]", fill("1,"))), ("json str", format!("[\"{}\"]", fill("\\u0041"))),
        ("numkeys", fill("1: x\n")), ("exprs", fill("a: {{ x }}\n")), ("long key", format!("{}: 1", fill("k"))), ("indent", (0..1000).fold(String::new(), |t,i| t + &" ".repeat(i) + "a:\n")),
        ("bracey", fill("{{ ")), ("cr", fill("\r")), ("uni", format!("a: {}", fill("é"))), ("flowmultiline", format!("a: [{}]", fill("x\n ,")))
    ] {
        let t = std::time::Instant::now();
        let (node, p) = source::read(&text);
        let a = t.elapsed();
        let r = intent::read(&text);
        let b = t.elapsed();
        let k = match &r { Ok((_, p)) | Err(p) => p };
        let s = source::render("x", &text, k, false).len();
        println!("{name:12} read {:?} total {:?} render {:?} tree {} problems {} {} rendered {s}", a, b, t.elapsed(), node.is_some(), p.len(), k.len());
    }
}
