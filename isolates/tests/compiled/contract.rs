//! The script contract, for languages with types.

use crate::world::{World, at_each_strength, patient, script};
use jalm_isolates::Language::{Go, Rust};
use serde_json::{Value, json};

at_each_strength! { Rust:
    async fn a_whole_program_in_rust_reads_variables_and_prints_its_result(world: World) {
        let echo = "use std::io::Read;\nfn main() {\n  let mut text = String::new();\n  std::io::stdin().read_to_string(&mut text).unwrap();\n  println!(\"{text}\");\n}";
        let variables = json!({ "n": 3, "names": ["a", "ü"], "deep": { "x": null } });
        assert_eq!(world.good(Rust, echo, variables.clone()).await, variables);
        let text = "fn main() { println!(\"two words\"); eprintln!(\"aside\"); }";
        let verdict = world.verdict(script(Rust, text, Value::Null), patient()).await;
        assert_eq!(verdict.result, Ok(json!("two words")));
        assert_eq!((verdict.stdout.as_str(), verdict.stderr.as_str()), ("two words\n", "aside\n"));
        assert!(verdict.memory_used > 0);
        assert_eq!(world.good(Rust, "fn main() {}", Value::Null).await, Value::Null);
    }

    async fn run_in_rust_gets_each_variable_by_its_name(world: World) {
        let source = "fn run(count: i64, ratio: f64, deep: bool, name: &str, rows: Vec<i64>, tags: &[String], no: Option<i64>) -> Vec<String> {\n  vec![count.to_string(), ratio.to_string(), deep.to_string(), name.to_owned(), rows.iter().sum::<i64>().to_string(), tags.join(\"+\"), format!(\"{no:?}\")]\n}";
        let variables = json!({ "name": "é\"\\\n😀", "count": -5, "ratio": 0.5, "deep": true, "rows": [1, 2, 3], "tags": ["a", "b"] });
        let wanted = json!(["-5", "0.5", "true", "é\"\\\n😀", "6", "a+b", "None"]);
        assert_eq!(world.good(Rust, source, variables).await, wanted);
        let error = world.run(Rust, "fn run(n: i64) -> i64 { n }", json!({ "n": "x" })).await.unwrap_err();
        assert_eq!((error.code.as_ref(), error.message.as_str()), ("script_error", "the variable `n` is text, not a whole number"));
        let error = world.wrong(Rust, "fn run(n: i64) -> i64 { n }").await;
        assert_eq!(error.message, "`run` has a parameter `n`, and there is no such variable");
        let all = "fn run(vars: &str) -> String { vars.to_owned() }";
        assert_eq!(world.good(Rust, all, json!({ "a": [1] })).await, json!("{\"a\":[1]}"));
        let failing = "fn run() -> Result<i64, String> { Err(\"no luck\".to_owned()) }";
        assert_eq!(world.wrong(Rust, failing).await.message, "no luck");
    }

    async fn a_body_in_rust_returns_its_result(world: World) {
        let source = "let rows = vars[\"rows\"].list();\nlet sum: i64 = rows.iter().map(|row| row[\"qty\"].int()).sum();\nprintln!(\"aside\");\nreturn sum;";
        let variables = json!({ "rows": [{ "qty": 3 }, { "qty": 4 }] });
        assert_eq!(world.good(Rust, source, variables).await, json!(7));
        assert_eq!(world.good(Rust, "println!(\"{}\", 6 * 7);", Value::Null).await, json!(42));
    }

    async fn what_goes_wrong_in_rust_has_its_line(world: World) {
        let error = world.wrong(Rust, "fn main() {\n  let x: i64 = \"a\";\n}").await;
        assert_eq!((error.code.as_ref(), error.message.as_str()), ("script_syntax", "mismatched types"));
        assert_eq!((error.line, error.column), (Some(2), Some(16)));
        assert!(error.traceback.unwrap().contains("E0308"));
        let error = world.wrong(Rust, "let x: i64 = \"a\";\nreturn x;").await;
        assert_eq!((error.line, error.column), (Some(1), Some(14)));
        let error = world.wrong(Rust, "let a = [1, 2];\nlet i = vars[\"i\"].to::<Option<usize>>().unwrap_or(5);\nreturn a[i];").await;
        assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(3)));
        assert_eq!(error.message, "index out of bounds: the len is 2 but the index is 5");
        let error = world.wrong(Rust, "fn main() {\n\n  panic!(\"on purpose\");\n}").await;
        assert_eq!((error.line, error.message.as_str()), (Some(3), "on purpose"));
        // The code of a process that could not be locked in is nobody's but the program's.
        for code in [1, 3, 125] {
            let error = world.wrong(Rust, &format!("fn main() {{ eprintln!(\"why\"); std::process::exit({code}) }}")).await;
            assert_eq!(error.message, format!("the script exited with code {code}: why"));
        }
        assert_eq!(world.wrong(Rust, "fn main() { std::process::exit(1) }").await.message, "the script exited with code 1");
        assert_eq!(world.wrong(Rust, "fn main() { std::process::abort() }").await.code, "script_crashed");
    }
}

at_each_strength! { Go:
    async fn a_whole_program_in_go_reads_variables_and_prints_its_result(world: World) {
        let echo = "package main\n\nimport (\n\t\"io\"\n\t\"os\"\n)\n\nfunc main() {\n\tio.Copy(os.Stdout, os.Stdin)\n}\n";
        let variables = json!({ "n": 3, "names": ["a", "ü"], "deep": { "x": null } });
        assert_eq!(world.good(Go, echo, variables.clone()).await, variables);
        let text = "import \"os\"\nfunc main() { println(\"aside\"); os.Stdout.WriteString(\"two words\\n\") }";
        let verdict = world.verdict(script(Go, text, Value::Null), patient()).await;
        assert_eq!(verdict.result, Ok(json!("two words")));
        assert_eq!((verdict.stdout.as_str(), verdict.stderr.as_str()), ("two words\n", "aside\n"));
    }

    async fn run_in_go_gets_the_variables(world: World) {
        let source = "package main\n\nfunc run(vars map[string]any) (any, error) {\n\treturn map[string]any{\"double\": vars[\"n\"].(float64) * 2, \"name\": vars[\"name\"]}, nil\n}";
        let given = world.good(Go, source, json!({ "n": 4, "name": "é\n😀" })).await;
        assert_eq!(given, json!({ "double": 8, "name": "é\n😀" }));
        let failing = "import \"errors\"\nfunc run(vars map[string]any) (any, error) { return nil, errors.New(\"no luck\") }";
        assert_eq!(world.wrong(Go, failing).await.message, "no luck");
    }

    async fn a_body_in_go_returns_its_result(world: World) {
        let source = "import \"strings\"\n\nwords := strings.Fields(vars[\"text\"].(string))\nreturn len(words)";
        assert_eq!(world.good(Go, source, json!({ "text": "a b  c" })).await, json!(3));
        assert_eq!(world.good(Go, "import \"fmt\"\nfmt.Println(6 * 7)", Value::Null).await, json!(42));
    }

    async fn what_goes_wrong_in_go_has_its_line(world: World) {
        let error = world.wrong(Go, "package main\n\nfunc main() {\n\tvar x int = \"a\"\n\t_ = x\n}\n").await;
        assert_eq!((error.code.as_ref(), error.line, error.column), ("script_syntax", Some(4), Some(14)));
        assert!(error.message.contains("cannot use \"a\""), "{}", error.message);
        let error = world.wrong(Go, "return x").await;
        assert_eq!((error.line, error.column), (Some(1), Some(8)));
        assert!(error.message.contains("undefined: x") || error.message.contains("undeclared name: x"), "{}", error.message);
        let error = world.wrong(Go, "a := []int{1, 2}\ni := len(vars) + 5\nreturn a[i]").await;
        assert_eq!((error.code.as_ref(), error.line), ("script_error", Some(3)));
        assert_eq!(error.message, "runtime error: index out of range [5] with length 2");
        let error = world.wrong(Go, "func main() {\n\n\tpanic(\"on purpose\")\n}").await;
        assert_eq!((error.line, error.message.as_str()), (Some(3), "on purpose"));
        for code in [1, 3, 125] {
            let error = world.wrong(Go, &format!("import \"os\"\nfunc main() {{ println(\"why\"); os.Exit({code}) }}")).await;
            assert_eq!(error.message, format!("the script exited with code {code}: why"));
        }
    }

    async fn every_package_of_gos_own_is_there(world: World) {
        let source = "import (\n\"crypto/sha256\"\n\"net/url\"\n\"regexp\"\n\"math/big\"\n\"text/template\"\n\"time\"\n\"net/http\"\n)\n_, _, _, _ = url.Parse, regexp.MustCompile, big.NewInt, template.New\n_ = time.Now()\nreturn []any{len(sha256.Sum256(nil)), http.StatusOK}";
        assert_eq!(world.good(Go, source, Value::Null).await, json!([32, 200]));
    }
}
